"""Locked-down child processes: where text of a model may be executed, and what executes it by accident runs.

A child is a fork of a small server that has imported everything beforehand. Before it sees any input it gives up, for good:

- all system calls but some thirty (seccomp): it can compute, use memory, read and write the pipes it was given, and end. It
  can open no file and no socket, start no process and no thread, signal nobody, trace nobody, sleep, or map code.
- all access to files, to TCP and to processes outside (Landlock), where the kernel has it: a second lock on the same door
- memory, processor time and everything else that `setrlimit` bounds
- the environment, and every file descriptor but its pipes

No privilege is needed: it works the same for any user, on a laptop and in a pod under the restricted Pod Security Standard.
Where seccomp is missing nothing runs.

**Not covered.** A defect of the kernel in one of the system calls that are left; side channels (timing, caches, load); children
that run at the same time share the machine's memory and processors. A child sees the memory of the server it was forked from,
which holds library code and nothing of any job.
"""

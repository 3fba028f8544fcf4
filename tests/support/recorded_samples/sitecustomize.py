"""On the path of a training, this puts recorded samples in the place of what the policy would say.

The rows of a group of eight are continued in the same way by whatever process, which may have a part of the group, so that
trainings that differ in how their work is split can be compared number by number. Only the processes that train are touched.
"""

import sys
from hashlib import sha256

_WORDS = 12
_SPECIAL = 4
_END = 3
_GROUP = 8
_WORKER = "reflection_trainer.train.worker"

if _WORKER in sys.orig_argv:
    from reflection_trainer.train.groups import GroupSource
    from reflection_trainer.train.reflect_retry import Sample
    from reflection_trainer.train.trl_adapter import TrlGenerator

    def generate(self, conversations, max_new_tokens):
        tokenizer = self._trainer.processing_class
        samples = []
        for row, turns in enumerate(conversations, self.first_row):
            digest = sha256(f"{row % _GROUP}{turns}".encode()).digest()
            length = 1 + digest[0] % max_new_tokens
            ids = [_SPECIAL + number % (_WORDS - _SPECIAL) for number in digest[1 : 1 + length]]
            prompt = tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, tokenize=True, return_dict=False
            )
            text, ends = tokenizer.decode(ids), length < max_new_tokens
            samples.append(Sample(prompt, ids + [_END] * ends, text, ends))
        return samples

    def sample(self, pool, count, generator):
        generator.first_row = self._processes.share(count * _GROUP).start
        return sampled(self, pool, count, generator)

    TrlGenerator.generate = generate
    sampled, GroupSource._sample = GroupSource._sample, sample

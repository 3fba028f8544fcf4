"""Any valid resource, for property tests."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st
from reflection_api.resource import ReflectionTraining

DNS_LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
DNS_SUBDOMAIN = st.lists(DNS_LABEL, min_size=1, max_size=3).map(".".join)
WORD = st.sampled_from(["a", "b-1", "other"])
"""A name of something outside, whose form does not matter."""
NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
SEGMENT = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
PATH = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join)
TEXT = st.text(max_size=40)
NOT_EMPTY = st.text(min_size=1, max_size=40)
SEED = st.integers(0, 2**31 - 1)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
LABEL_VALUE = st.from_regex(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", fullmatch=True)
LABEL_KEY = st.sampled_from(
    [
        "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "argocd.argoproj.io/instance",
        "kueue.x-k8s.io/priority-class", "kueue.x-k8s.io/queue-name", "reflection.training/run-uid", "team",
    ]
)  # fmt: skip
LABELS = st.dictionaries(LABEL_KEY, LABEL_VALUE, max_size=4)
ENV_NAME = st.sampled_from(
    [
        "REFLECT_CONFIG",
        "HOME",
        "HF_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "AWS_CA_BUNDLE",
        "MASTER_ADDR",
        "WANDB_MODE",
        "_A1",
    ]
)
MOUNT_PATH = st.sampled_from(["/tmp", "/scratch", "/dev/shm", "/etc/reflect", "/data", "/mnt/pvc/models"])
VOLUME_NAME = st.sampled_from(["data", "cache", "reflect-config", "reflect-scratch"])
VOLUME_SOURCE = st.sampled_from(
    [
        {"emptyDir": {}},
        {"configMap": {"name": "a"}},
        {"persistentVolumeClaim": {"claimName": "b"}},
        {"secret": {"secretName": "c"}},
    ]
)
QUANTITIES = st.dictionaries(
    st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]), st.sampled_from(["1", "2", "64Gi"])
)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The value, or none."""
    return st.none() | strategy


def mapping(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A map of these fields; those that are None are left out."""
    return st.fixed_dictionaries(fields).map(
        lambda drawn: {key: value for key, value in drawn.items() if value is not None}
    )


def uris(hub: str) -> st.SearchStrategy[str]:
    """A URI of each scheme; `hub` is the text before the path on the Hub."""
    roots = st.sampled_from([hub, "s3://bucket/", "file:///"]) | DNS_SUBDOMAIN.map("pvc://{}/".format)
    return st.builds(lambda root, path: root + path, roots, PATH)


MODEL_URI = SEGMENT.map("hf://org/{}".format) | uris("s3://models/")
PROMPTS = mapping(
    uri=uris("hf://datasets/org/name/").map("{}.jsonl".format),
    limit=optional(st.integers(1, 2**31 - 1)),
    seed=SEED,
)

OVERRIDES = mapping(
    image=optional(WORD),
    serviceAccountName=optional(WORD),
    imagePullSecrets=st.lists(mapping(name=WORD), max_size=2),
    nodeSelector=LABELS,
    tolerations=st.lists(mapping(key=WORD, operator=st.just("Exists")), max_size=2),
    affinity=optional(st.just({"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}})),
    topologySpreadConstraints=st.lists(
        mapping(maxSkew=st.integers(1, 3), topologyKey=WORD, whenUnsatisfiable=st.just("ScheduleAnyway")),
        max_size=2,
    ),
    priorityClassName=optional(WORD),
    runtimeClassName=optional(WORD),
    env=st.lists(mapping(name=ENV_NAME, value=TEXT), max_size=3),
    envFrom=st.lists(mapping(secretRef=mapping(name=WORD)), max_size=2),
    resources=optional(mapping(requests=optional(QUANTITIES), limits=optional(QUANTITIES))),
    volumes=st.lists(
        st.builds(lambda name, source: {"name": name, **source}, VOLUME_NAME, VOLUME_SOURCE), max_size=3
    ),
    volumeMounts=st.lists(mapping(name=VOLUME_NAME, mountPath=MOUNT_PATH), max_size=3),
    labels=LABELS,
    annotations=st.dictionaries(LABEL_KEY, TEXT, max_size=2),
)


@st.composite
def trainings(draw: st.DrawFn) -> dict[str, Any]:
    """`spec.training` whose numbers can be shared by its processes."""
    nodes, gpus = draw(st.integers(1, 256)), draw(st.integers(0, 16))
    processes = draw(optional(st.integers(1, gpus or 64)))
    world = nodes * (processes or max(gpus, 1))
    generations = draw(st.integers(2, 64))
    fewest = world // math.gcd(world, generations)
    failures = fewest * draw(st.integers(1, max(1, 65_536 // fewest)))
    rows = failures * generations // world
    micro_batches = draw(st.sampled_from([n for n in (1, 2, 3, 5) if rows % n == 0]))
    fields = draw(
        mapping(
            maxSteps=st.integers(1, 10_000_000),
            learningRate=st.floats(1e-12, 1),
            precision=optional(st.sampled_from(["bf16", "fp32"])),
            lora=optional(mapping(rank=st.integers(1, 512), targetModules=st.lists(SEGMENT, max_size=2))),
            microBatchSize=optional(st.just(min(rows // micro_batches, 65_536))),
            processesPerNode=st.just(processes),
        )
    )
    if fields.get("microBatchSize") == 65_536 and rows % 65_536:
        del fields["microBatchSize"]
    method = {"numGenerations": generations}
    return fields | {
        "nodes": nodes,
        "gpusPerNode": gpus,
        "failuresPerStep": failures,
        "method": method,
    }


@st.composite
def rollouts(draw: st.DrawFn) -> dict[str, Any]:
    """`spec.rollout` whose tensor parallelism fits its GPUs."""
    engine, gpus = draw(st.sampled_from(["vllm", "transformers"])), draw(st.integers(0, 16))
    parallel = draw(st.integers(1, gpus or 16)) if engine == "vllm" else 1
    return {
        "engine": engine,
        "gpusPerWorker": gpus,
        "tensorParallelSize": parallel,
        "workers": draw(st.integers(1, 1024)),
        "attemptsPerPrompt": draw(st.integers(1, 64)),
    }


SPECS = mapping(
    model=mapping(uri=MODEL_URI, credentialsSecret=optional(DNS_LABEL), trustRemoteCode=st.booleans()),
    task=mapping(
        prompts=PROMPTS,
        verifier=mapping(
            builtin=mapping(
                name=st.sampled_from(["countdown", "exact"]), options=st.dictionaries(TEXT, JSON, max_size=3)
            )
        )
        | mapping(
            http=mapping(url=st.just("https://judge/at"), tokenSecret=optional(WORD), caSecret=optional(WORD))
        )
        | mapping(
            container=mapping(
                image=WORD,
                port=st.integers(1024, 65_535),
                env=st.lists(mapping(name=ENV_NAME | st.just("PORT"), value=TEXT), max_size=2),
                resources=optional(mapping(limits=optional(QUANTITIES))),
            )
        ),
        columns=st.dictionaries(TEXT, NOT_EMPTY, max_size=3),
        templates=mapping(
            system=optional(NOT_EMPTY), reflection=optional(NOT_EMPTY), retry=optional(NOT_EMPTY)
        ),
    ),
    rollout=rollouts(),
    training=trainings(),
    evaluation=mapping(prompts=optional(PROMPTS), gates=mapping(minGain=optional(st.floats(-1, 1)))),
    rounds=st.integers(1, 10),
    storage=mapping(
        uri=st.builds(str.__add__, st.sampled_from(["s3://bucket/", "file:///"]), PATH),
        endpoint=optional(st.just("https://minio.storage:9000")),
        region=optional(st.just("eu-central-1")),
        credentialsSecret=optional(DNS_SUBDOMAIN),
        caSecret=optional(DNS_SUBDOMAIN),
        pathStyle=optional(st.booleans()),
    ),
    pods=mapping(common=OVERRIDES, training=OVERRIDES),
)


@st.composite
def resources(draw: st.DrawFn) -> ReflectionTraining:
    """Any valid resource, as an API server stores it."""
    metadata = {
        "name": draw(NAME),
        "namespace": draw(DNS_LABEL),
        "uid": str(draw(st.uuids())),
        "labels": draw(LABELS),
    }
    return ReflectionTraining.model_validate({"metadata": metadata, "spec": draw(SPECS)})

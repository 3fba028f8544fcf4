"""All that is in a cluster, by name: what somebody has left behind shows in it."""

from __future__ import annotations

from ..cluster import CORE, Cluster, Obj

_COME_AND_GO = "events"


def inventory(cluster: Cluster) -> dict[str, Obj]:
    """Every object that can be listed, but events, as `resource namespace/name`; one without a namespace has none there."""
    found = {}
    groups = cluster.get("/apis")["groups"]
    for place in (CORE, *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)):
        for resource in cluster.get(place)["resources"]:
            name, can_be_listed = resource["name"], "list" in resource["verbs"]
            if can_be_listed and name != _COME_AND_GO:
                for obj in cluster.items(f"{place}/{name}"):
                    meta = obj["metadata"]
                    found[f"{name} {meta.get('namespace', '')}/{meta['name']}"] = obj
    return found


def without_owner(objects: dict[str, Obj]) -> set[str]:
    """Names of those that none of the others owns."""
    uids = {obj["metadata"].get("uid") for obj in objects.values()}
    return {
        name
        for name, obj in objects.items()
        if uids.isdisjoint(owner["uid"] for owner in obj["metadata"].get("ownerReferences", []))
    }

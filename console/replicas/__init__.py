"""Read replicas: watched, weighed, and read from where an older answer is as good.

Enters: settings.REPLICAS, what the flag `db.replica_routing` decides, requests by
`console.replicas.middleware` and the API's guard. Leaves: the database alias that Django's router
gives to a read; the standing of each replica, for pages, API, metrics and alerts. Depends on
`console.flags.web`, `console.postgres`, `monitoring`. Only web processes read from replicas.
"""

from monitoring.collectors.replicas import ReplicaStanding, standing

__all__ = ["ReplicaStanding", "standing"]

"""How many files this process may have open: a stream is one each, and a shell grants 1 024."""

import resource

import structlog

log = structlog.get_logger(__name__)


def raise_limit() -> int:
    """Takes all that the system lets this process take; the limit that holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as exc:
        # Some systems grant less than they say. It can work with what it has, for fewer streams.
        log.warning("open_files.not_raised", limit=soft, wanted=hard, error=str(exc))
        return soft
    log.info("open_files.raised", limit=hard, was=soft)
    return hard

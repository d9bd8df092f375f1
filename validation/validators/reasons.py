"""Every reason code of an outcome, with the sentence that a person reads."""

from validation.validators.catalogue import CHECKS

REASONS: dict[str, str] = {
    "ok": "Every check up to the level asked for has passed.",
    "not_found": "The node answered that it knows no such item.",
    "pending": "The transaction waits in the node's pool: it is in no block yet.",
    "receipt_missing": "The node has the transaction but no receipt for it.",
    "answers_disagree": "The node has a receipt for a transaction that it does not know.",
    "unknown_field": "The answer has a field that this version cannot verify.",
    "unknown_type": "The transaction is of a type that this version cannot verify.",
    "chain_id_unbound": "The chain id that the node names is covered by no signature.",
    "level_not_reached": "This version verifies items of this kind only to a lower level.",
    "malformed_answer": "The node's answer has fields that are missing or of the wrong form.",
    # What the client to the nodes reports; the codes are those of its error classes.
    "rpc_error": "The node could not be asked.",
    "node_unreachable": "No connection to the node, or it broke before the whole answer.",
    "node_timeout": "The node did not answer in time.",
    "breaker_open": "The circuit breaker of every node was open until the time for it ran out.",
    "rate_limited": "The node refuses more calls for now.",
    "http_status": "The node answered with an HTTP error.",
    "redirected": "The node points to another address, which is not followed.",
    "bad_answer": "The node's answer is not JSON-RPC.",
    "answer_too_large": "The node's answer is larger than is accepted.",
    "batch_refused": "The node refused the whole batch of calls.",
    "call_refused": "The node answered the call with an error.",
    "wrong_chain": "The node serves another chain than the one configured.",
    "address_refused": "The node's address is in a network that is not allowed.",
    "deadline_exceeded": "The time for this item ran out.",
    "saturated": "This process already has as many calls waiting as it may.",
    "client_closed": "The validation was stopped while it waited for the node.",
    "client_fault": "A defect in the client to the nodes; the log has the details.",
    "internal": "A defect in the validation itself; the log has the details.",
    # What the ledger reports of items that no validation could finish.
    "poison": "Validating it ended the worker process again and again; it was set aside.",
    # What a reorganisation of the chain makes of verdicts that were given before it.
    "reorganised": "Its block was reorganised away, so the verdict was taken back: validate again.",
    **{check.reason: check.failure for check in CHECKS.values() if check.reason},
}

"""Who holds an execution: claimed, taken, freed, revived, and asked to stop."""

from __future__ import annotations

import json

from bff.stores.base import Execution, no_execution
from bff.stores.sqlite.executions import of_key
from bff.stores.sqlite.transaction import Transaction
from contract.errors import Sealed

_CLAIMABLE = """
    SELECT key FROM executions
    WHERE ended = 0 AND registered = 0 AND holder IS NULL
        AND (tenant = ?1 OR ?1 IS NULL)
        AND (?4 IS NULL OR id IN (SELECT value FROM json_each(?4)))
        AND NOT EXISTS (
            SELECT 1 FROM json_each(requires)
            WHERE value NOT IN (SELECT value FROM json_each(?2))
        )
    ORDER BY priority DESC, created_at, key
    LIMIT ?3
"""
_HOLD = """
    UPDATE executions
    SET holder = ?1, last_holder = ?1, attempt = attempt + 1, numbering = NULL
    WHERE key = ?2
"""
_FREE = """
    UPDATE executions SET lost = lost + (?1 AND holder IS NOT NULL), holder = NULL,
        last_holder = iif(?2, NULL, last_holder)
    WHERE id = ?3 AND attempt = ?4 AND attempt > 0
"""
_REVIVE = """
    UPDATE executions SET holder = iif(ended, NULL, ?),
        lost = iif(ended OR holder IS NOT NULL, lost, max(lost - 1, 0))
    WHERE id = ? AND attempt = ? AND attempt > 0 AND last_holder = ?
"""


def claim(
    transaction: Transaction,
    holder: str,
    *,
    tenant: str | None,
    limit: int,
    offers: frozenset[str],
    only: frozenset[str] | None,
) -> list[Execution]:
    """Give `holder` what nobody holds and it can run: highest priority, then oldest."""
    ids = None if only is None else json.dumps(sorted(only))
    keys = transaction.rows(_CLAIMABLE, tenant, json.dumps(sorted(offers)), max(limit, 0), ids)
    for (key,) in keys:
        transaction.run(_HOLD, holder, key)
    return [of_key(transaction, key) for (key,) in keys]


def take(transaction: Transaction, execution_id: str, holder: str) -> Execution:
    """Claim one execution, whoever holds it.

    Raises:
        NotFound: no such execution.
        Sealed: it has ended.
    """
    key = _living(transaction, execution_id)
    transaction.run(_HOLD, holder, key)
    return of_key(transaction, key)


def request_cancel(transaction: Transaction, execution_id: str) -> Execution:
    """Note that the execution shall be cancelled.

    Raises:
        NotFound: no such execution.
        Sealed: it has ended.
    """
    key = _living(transaction, execution_id)
    transaction.run("UPDATE executions SET cancelling = 1 WHERE key = ?", key)
    return of_key(transaction, key)


def free(
    transaction: Transaction, execution_id: str, attempt: int, lost: bool, given_back: bool
) -> bool:
    """End the claim of `attempt`; False if a newer one exists, or none.

    A claim that has ended already stays ended, and its lease is not lost a second time.
    """
    return bool(transaction.run(_FREE, lost, given_back, execution_id, attempt))


def revive(transaction: Transaction, execution_id: str, attempt: int, holder: str) -> bool:
    """Give `holder` its claim back; False if a newer one exists, it gave it back itself,
    or it never had it.

    True for one that `holder` has, and for an execution that has ended in this attempt:
    nobody took it from the holder, which may be resending its last events.
    """
    return bool(transaction.run(_REVIVE, holder, execution_id, attempt, holder))


def _living(transaction: Transaction, execution_id: str) -> int:
    found = transaction.row("SELECT key, ended, status FROM executions WHERE id = ?", execution_id)
    if found is None:
        raise no_execution(execution_id)
    key, ended, status = found
    if ended:
        raise Sealed(f'the execution "{execution_id}" is {status}: its log is sealed')
    return int(key)

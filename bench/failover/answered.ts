/** When a client that rested counts as awake: it has had answers enough to be warm again. */
import { until } from '../../test/hosts/wait.ts';
import type { LedgerStats } from '../../test/programs/ledger/wire.ts';

const ANSWERED_MS_MAX = 30_000;
/** Answers since then are enough for what the client measures to be warm again. */
const ANSWERS = 50;

/** Resolves once a client that rested gets its answers again. */
export async function answered(client: { readonly stats: LedgerStats | undefined }): Promise<void> {
  const before = client.stats?.acknowledged ?? 0;
  await until(
    'the client gets answers',
    () => (client.stats?.acknowledged ?? 0) >= before + ANSWERS,
    { timeoutMs: ANSWERED_MS_MAX },
  );
}

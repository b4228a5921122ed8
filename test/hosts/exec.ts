/**
 * Runs programs on the machine itself. Everything is started in a session of its own, so that a
 * Ctrl-C at the terminal reaches the test run only, which then ends the rest in order.
 */
import { type ChildProcess, spawn } from 'node:child_process';

export interface RunResult {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | undefined;
  /** The program gets SIGKILL when it takes longer; 30 s unless told. */
  readonly timeoutMs?: number | undefined;
  /** Give the result back whatever the exit code; otherwise a failure throws. */
  readonly allowFailure?: boolean | undefined;
}

const RUN_TIMEOUT_MS = 30_000;
/** Output beyond this is dropped: what a test looks at is short. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** Runs `argv` to its end and gives back what it said. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const stdout = collect(child, 'stdout');
  const stderr = collect(child, 'stderr');
  child.stdin.on('error', () => {
    // EPIPE: the program did not want its input; its exit code tells the rest.
  });
  child.stdin.end(options.input ?? '');
  const timeoutMs = options.timeoutMs ?? RUN_TIMEOUT_MS;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const { code, signal } = await ended(child).finally(() => clearTimeout(timer));
  const result = { code, signal, stdout: stdout(), stderr: stderr() };
  if (code !== 0 && options.allowFailure !== true) {
    const how = timedOut ? `took longer than ${timeoutMs} ms` : `ended with ${signal ?? code}`;
    const said = (result.stderr || result.stdout).trim().slice(-2000);
    throw new Error(`Cannot run "${argv.join(' ')}": it ${how}: ${said}`);
  }
  return result;
}

/** Resolves when the program has ended and its output is complete. */
export function ended(
  child: ChildProcess,
): Promise<{ code: number | undefined; signal: string | undefined }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code: code ?? undefined, signal: signal ?? undefined });
    });
  });
}

function collect(child: ChildProcess, name: 'stdout' | 'stderr'): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  child[name]?.on('data', (chunk: Buffer) => {
    if (bytes < OUTPUT_BYTES_MAX) chunks.push(chunk);
    bytes += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

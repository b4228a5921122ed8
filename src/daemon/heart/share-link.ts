/**
 * The heart's end of a witness that is a share: starts the process that reads and writes it, passes
 * on heartbeats and questions, and lets answers look as if the witness had sent them. Nothing here
 * waits, and nothing that a process says counts after it was given up.
 *
 *   starting ──serving──► serving ──fails, ends──► pause ──► starting
 *       └──── silent for too long ────┴──► left alone, if it cannot be killed; one more is started
 */
import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../base/tako-error.ts';
import { type Instant, plus } from '../../base/time.ts';
import { decodeMemberMessage } from '../../core/registry/registry-message.ts';
import type { LinkId } from '../../protocol/ids.ts';
import type { AnswerBody } from '../../protocol/packet.ts';
import type { FromShare, ShareBeat, ToShare } from '../../protocol/share-ipc.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

/** A share that takes longer for one round of write and read hangs. */
const HUNG_MS = 5000;
/** So long may a process take until it votes: the machine may be busy. */
const START_MS = 30_000;
const RETRY_MS = 500;
const RETRY_MS_MAX = 10_000;
/** Processes that are left alone because they cannot be killed, beside the one that is used. */
const LEFT_MAX = 1;
/** Questions that wait in the process; more are dropped like lost datagrams. */
const QUESTIONS_MAX = 64;

export interface ShareLinkOptions {
  readonly setupFile: string;
  /** Names the share in words. */
  readonly link: LinkId;
  readonly clock: Clock;
  readonly log: Log;
  /** Answers of the witness. */
  readonly answered: (body: AnswerBody) => void;
  readonly said: (message: unknown) => void;
}

interface Running {
  readonly process: ChildProcess;
  serving: boolean;
  /** Since when it has owed the answer to a heartbeat, or its start; undefined: it owes nothing. */
  waitsSince: Instant | undefined;
  beating: boolean;
  questions: number;
}

export class ShareLink {
  readonly #options: ShareLinkOptions;
  #running: Running | undefined;
  #left = 0;
  #startAt: Instant;
  #failures = 0;
  #trouble: string | undefined;
  #closed = false;

  constructor(options: ShareLinkOptions) {
    this.#options = options;
    this.#startAt = options.clock.now();
  }

  /** Why it does not vote, in words; undefined when it does. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** With every round of heartbeats. One that finds the last one unanswered is dropped. */
  beat({ round, claims, without, termMs }: ShareBeat): void {
    this.#look();
    const running = this.#running;
    if (running?.serving !== true || running.beating) return;
    running.beating = true;
    running.waitsSince = this.#options.clock.now();
    this.#tell(running, { type: 'beat', beat: { round, claims, without, termMs } });
  }

  /** Anything else than a question to an acceptor is none for a share. */
  ask(body: unknown): void {
    const question = decodeMemberMessage(body);
    if (question?.type !== 'prepare' && question?.type !== 'accept') return;
    const running = this.#running;
    if (running?.serving !== true || running.questions >= QUESTIONS_MAX) return;
    running.questions += 1;
    this.#tell(running, { type: 'asked', question });
  }

  close(): void {
    this.#closed = true;
    this.#running?.process.kill('SIGKILL');
    this.#running = undefined;
  }

  #tell(running: Running, message: ToShare): void {
    running.process.send(message, () => undefined);
  }

  #look(): void {
    const now = this.#options.clock.now();
    const running = this.#running;
    if (running === undefined) {
      if (!this.#closed && now >= this.#startAt && this.#left <= LEFT_MAX) this.#start(now);
      return;
    }
    const limitMs = running.serving ? HUNG_MS : START_MS;
    if (running.waitsSince === undefined || now < plus(running.waitsSince, limitMs)) return;
    this.#running = undefined;
    this.#left += 1;
    running.process.kill('SIGKILL');
    this.#pause(`${this.#options.link} does not answer`);
  }

  #start(now: Instant): void {
    const program = fileURLToPath(import.meta.url);
    const path = new URL(`../share-witness${extname(program)}`, import.meta.url);
    const child = fork(fileURLToPath(path), [this.#options.setupFile], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    child.unref();
    child.channel?.unref();
    const running: Running = {
      ...{ process: child, serving: false, beating: false, questions: 0 },
      waitsSince: now,
    };
    this.#running = running;
    child.on('message', (message: FromShare) => {
      if (this.#running === running) this.#heard(running, message);
    });
    child.once('error', (error) => this.#ended(running, messageOf(error)));
    child.once('exit', (code, signal) =>
      this.#ended(running, `its process ended with ${signal ?? `exit code ${code}`}`),
    );
  }

  #heard(running: Running, message: FromShare): void {
    switch (message.type) {
      case 'serving':
        running.serving = true;
        running.waitsSince = undefined;
        this.#failures = 0;
        this.#trouble = undefined;
        this.#options.log.info('share votes', { seat: message.seat });
        return;
      case 'waiting':
        running.waitsSince = plus(this.#options.clock.now(), message.ms);
        return this.#tellTrouble(`${message.why}: it votes after ${message.ms / 1000} s`);
      case 'answer':
        running.beating = false;
        running.waitsSince = undefined;
        running.questions = 0;
        return this.#options.answered(message.body);
      case 'message':
        return this.#options.said(message.message);
      case 'failed':
        this.#running = undefined;
        this.#left += 1;
        return this.#pause(message.why);
    }
  }

  #ended(running: Running, why: string): void {
    if (this.#running !== running) {
      this.#left -= 1;
      return;
    }
    this.#running = undefined;
    this.#pause(why);
  }

  #pause(why: string): void {
    this.#failures += 1;
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(this.#failures - 1, 8));
    this.#startAt = plus(this.#options.clock.now(), pauseMs);
    this.#tellTrouble(why);
  }

  #tellTrouble(why: string): void {
    if (this.#trouble !== why) this.#options.log.warn('share does not vote', { why });
    this.#trouble = why;
  }
}

/**
 * Calls of etcd's JSON gateway (`/v3/...`). A question goes to all members at once, and the first
 * answer counts. A change goes to the member that answered last, and to another one only after it
 * is certain that the one before did not get it.
 *
 * Invariant: a call ends within twice the number of members times `timeoutMs`, and keeps no more of
 * an answer than `ANSWER_BYTES_MAX`. The password is told to nobody but the configured members.
 */
import { must } from '../../base/assert.ts';
import { messageOf } from '../../base/tako-error.ts';
import { type EtcdAccess, type MemberAnswer, askMember, readPassword } from './etcd-member.ts';

export type GatewayAnswer =
  | { readonly type: 'answered'; readonly body: Readonly<Record<string, unknown>> }
  /** No member carried it out. */
  | { readonly type: 'refused'; readonly why: string }
  | { readonly type: 'unknown'; readonly why: string };

export interface GatewayOptions extends EtcdAccess {
  /** Such as `http://127.0.0.1:2379`; at least one. */
  readonly endpoints: readonly string[];
  /** For the answer of one member. */
  readonly timeoutMs: number;
}

const UNAUTHENTICATED = 401;
/** By these a member says that it did not even try: malformed, not allowed. */
const NOT_TRIED = [400, UNAUTHENTICATED, 403, 404];
/** How etcd says that a member let in by a password before is not known any more. */
const TOKEN_OVER = /auth token|user name is empty/u;

export class EtcdGateway {
  readonly #options: GatewayOptions;
  readonly #ended = new AbortController();
  #first = 0;
  /** By which a user that was let in is known; each member knows all of them. */
  #token: string | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** What changes nothing: it may be carried out by several members. */
  async ask(path: string, body: object): Promise<GatewayAnswer> {
    const calls = this.#options.endpoints.map(async (endpoint, at) => {
      const answer = await this.#call(endpoint, path, body);
      if (answer.type !== 'answered') throw new Error(answer.why);
      return { answer, at };
    });
    try {
      const { answer, at } = await Promise.any(calls);
      this.#first = at;
      return answer;
    } catch (error) {
      const all: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
      const whys = all.map((one) => messageOf(one));
      return { type: 'refused', why: whys.join('; ') };
    }
  }

  async change(path: string, body: object): Promise<GatewayAnswer> {
    const { endpoints } = this.#options;
    let answer: GatewayAnswer = { type: 'refused', why: 'no member was asked' };
    for (let tried = 0; tried < endpoints.length; tried += 1) {
      const endpoint = must(endpoints[this.#first], 'the index wraps around');
      answer = await this.#call(endpoint, path, body);
      if (answer.type === 'answered') return answer;
      this.#first = (this.#first + 1) % endpoints.length;
      if (answer.type === 'unknown') return answer;
    }
    return answer;
  }

  close(): void {
    this.#ended.abort();
  }

  async #call(endpoint: string, path: string, body: object): Promise<GatewayAnswer> {
    const answer = await this.#post(endpoint, path, body);
    const { user } = this.#options;
    const refused = answer.type === 'answered' && NOT_TRIED.includes(answer.status);
    const unknown = refused && (this.#token === undefined || TOKEN_OVER.test(answer.error));
    if (user === undefined || !unknown) return judge(endpoint, answer);
    const failed = await this.#logIn(endpoint, user);
    return failed ?? judge(endpoint, await this.#post(endpoint, path, body));
  }

  /** Undefined when it worked. */
  async #logIn(endpoint: string, user: string): Promise<GatewayAnswer | undefined> {
    const { passwordFile } = this.#options;
    const password = passwordFile === undefined ? '' : await readPassword(passwordFile);
    if (typeof password !== 'string') return { type: 'refused', why: password.why };
    // With one that is not known any more not even this is answered.
    this.#token = undefined;
    const answer = await this.#post(endpoint, '/v3/auth/authenticate', { name: user, password });
    const judged = judge(endpoint, answer);
    if (judged.type !== 'answered') return { type: 'refused', why: judged.why };
    const { token } = judged.body;
    if (typeof token !== 'string') return { type: 'refused', why: `${endpoint} gives no token` };
    this.#token = token;
    return undefined;
  }

  #post(endpoint: string, path: string, body: object): Promise<MemberAnswer> {
    const limit = AbortSignal.timeout(this.#options.timeoutMs);
    const signal = AbortSignal.any([limit, this.#ended.signal]);
    const url = new URL(path, endpoint);
    return askMember(url, body, { access: this.#options, token: this.#token, signal });
  }
}

function judge(endpoint: string, answer: MemberAnswer): GatewayAnswer {
  const { host } = new URL(endpoint);
  if (answer.type !== 'answered') return { type: answer.type, why: `${host}: ${answer.why}` };
  const { body, error, status } = answer;
  if (status === 200) {
    if (body !== undefined) return { type: 'answered', body };
    return { type: 'unknown', why: `${host}: the answer is not an object` };
  }
  const why = `${host} answers ${status}: ${error}`;
  return { type: NOT_TRIED.includes(status) ? 'refused' : 'unknown', why };
}

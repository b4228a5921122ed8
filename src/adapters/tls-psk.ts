/**
 * TLS between the nodes, authenticated by the cluster key: TLS 1.3 with an external pre-shared key
 * and an ephemeral key exchange (psk_dhe_ke, TLS_AES_128_GCM_SHA256), so recorded traffic stays
 * secret even when the cluster key leaks later. No certificates.
 *
 * Each direction of each pair of nodes, for each purpose, has a key of its own, derived by HKDF
 * from the cluster key. So a peer without the key, of another cluster, or reached at a wrong
 * address never gets past the handshake, and a server knows by name who is connected.
 */
import { hkdfSync } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { ConnectionOptions, TlsOptions, TLSSocket } from 'node:tls';
import { messageOf, TakoError } from '../base/tako-error.ts';
import type { NodeId } from '../protocol/ids.ts';

const KEY_BYTES_MIN = 32;
const KEY_BYTES_MAX = 1024;
const KEY_FILE_BYTES_MAX = 4096;
const PSK_BYTES = 32;
const NEXT_STEP =
  'Make one with "openssl rand -base64 32", copy the same file to every node, and protect it with "chmod 600"';
/** TLS 1.3 takes external keys only with SHA-256; "PSK" is for OpenSSL's key callback itself. */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:PSK';

export interface TlsIdentity {
  readonly cluster: string;
  /** What {@link readClusterKey} gave. */
  readonly key: Uint8Array;
  /** This node. */
  readonly node: NodeId;
  /** What the connection is for: `control`, or `mirror` and its id. The two ends must agree. */
  readonly purpose: string;
}

const peers = new WeakMap<object, NodeId>();

/** Reads the cluster key; throws `key-unusable` with the next step when it cannot be trusted. */
export function readClusterKey(path: string): Uint8Array {
  const text = readPrivateFile(path).trim();
  const key = decodeKey(text);
  if (key === undefined) {
    throw unusable(`Cannot use the cluster key file "${path}": it is not base64 or hexadecimal`);
  }
  if (key.length < KEY_BYTES_MIN || key.length > KEY_BYTES_MAX) {
    throw unusable(
      `Cannot use the cluster key file "${path}": it has ${key.length} bytes of key, need ` +
        `${KEY_BYTES_MIN} to ${KEY_BYTES_MAX}`,
    );
  }
  return key;
}

/**
 * For `tls.createServer`. Only `clients` get in; {@link tlsPeer} names the one on a socket. Without
 * `clients` every node that has the cluster key gets in.
 */
export function serverTlsOptions(identity: TlsIdentity, clients?: readonly NodeId[]): TlsOptions {
  return {
    minVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    pskCallback: (socket, name) => {
      const client = clientFrom(identity, name);
      if (client === undefined || clients?.includes(client) === false) return null;
      peers.set(socket, client);
      return derive(identity, client, identity.node);
    },
  };
}

/** For `tls.connect`, with host and port added. Fails unless `server` itself answers. */
export function clientTlsOptions(identity: TlsIdentity, server: NodeId): ConnectionOptions {
  return {
    minVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    ca: [],
    rejectUnauthorized: true,
    pskCallback: () => ({
      psk: derive(identity, identity.node, server),
      identity: identityName(identity, identity.node),
    }),
    // Called only when the server chose a certificate in place of the key: whatever that
    // certificate says, it is not one of us.
    checkServerIdentity: () =>
      new TakoError('peer-refused', `Cannot trust "${server}": it does not know the cluster key`),
  };
}

/** Who is connected, on the server side of an established connection. */
export function tlsPeer(socket: TLSSocket): NodeId | undefined {
  return peers.get(socket);
}

function identityName(identity: TlsIdentity, client: NodeId): string {
  return `tako1 ${identity.cluster} ${identity.purpose} ${client}`;
}

function clientFrom(identity: TlsIdentity, name: string): NodeId | undefined {
  const client = name.slice(name.lastIndexOf(' ') + 1) as NodeId;
  return client !== '' && name === identityName(identity, client) ? client : undefined;
}

function derive(identity: TlsIdentity, client: NodeId, server: NodeId): Buffer {
  const info = ['tako tls', identity.cluster, identity.purpose, client, server].join('\0');
  return Buffer.from(hkdfSync('sha256', identity.key, 'tako tls 1', info, PSK_BYTES));
}

function readPrivateFile(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw unusable(`Cannot read the cluster key file "${path}": ${messageOf(error)}`, error);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > KEY_FILE_BYTES_MAX) {
      throw unusable(`Cannot use the cluster key file "${path}": it is not a small regular file`);
    }
    if ((stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw unusable(
        `Cannot use the cluster key file "${path}": others may read or change it (mode ${mode}), ` +
          'need mode 0600',
      );
    }
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function decodeKey(text: string): Uint8Array | undefined {
  const compact = text.replaceAll(/\s+/gu, '');
  if (/^(?:[0-9a-f]{2})+$/iu.test(compact)) return new Uint8Array(Buffer.from(compact, 'hex'));
  if (!/^[0-9a-z+/]+={0,2}$/iu.test(compact)) return undefined;
  return new Uint8Array(Buffer.from(compact, 'base64'));
}

function unusable(message: string, cause?: unknown): TakoError {
  return new TakoError('key-unusable', message, { next: NEXT_STEP, cause });
}

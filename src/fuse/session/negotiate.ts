/** The first request of a session, INIT: agrees with the kernel on version and features. */
import { writeSync } from 'node:fs';
import { TakoError } from '../../base/tako-error.ts';
import type { Fd } from '../../ports/file-system.ts';
import { EPROTO } from '../wire/errno.ts';
import {
  decodeInit,
  isSupported,
  MAJOR,
  MINOR_MIN,
  type Negotiated,
  putInit,
} from '../wire/init.ts';
import { OPCODE } from '../wire/opcode.ts';
import type { Reply } from '../wire/reply.ts';
import type { Request } from '../wire/request.ts';
import { isDeviceError } from './device-error.ts';

export interface Negotiation {
  readonly deviceFd: Fd;
  /** Holds the first request. */
  readonly request: Request;
  readonly reply: Reply;
}

/** Undefined when the file system was unmounted meanwhile. Throws when the kernel is too old. */
export function negotiate({ deviceFd, request, reply }: Negotiation): Negotiated | undefined {
  const offer = request.opcode === OPCODE.init ? decodeInit(request) : undefined;
  if (offer === undefined || !isSupported(offer)) {
    send(deviceFd, reply, reply.finish(request, EPROTO, 0));
    throw new TakoError('system-call', refusal(offer), { next: 'Use Linux 5.7 or later' });
  }
  const sent = send(deviceFd, reply, reply.finish(request, 0, putInit(reply, offer)));
  return sent ? offer : undefined;
}

function refusal(offer: Negotiated | undefined): string {
  const found = offer === undefined ? 'does not begin with INIT' : `${offer.major}.${offer.minor}`;
  return `Cannot serve the mount: the kernel's FUSE protocol ${found}, need ${MAJOR}.${MINOR_MIN}`;
}

function send(deviceFd: Fd, reply: Reply, length: number): boolean {
  try {
    writeSync(deviceFd, reply.buffer, 0, length);
    return true;
  } catch (error) {
    if (isDeviceError(error, 'ENOENT') || isDeviceError(error, 'ENODEV')) return false;
    throw new TakoError('system-call', 'Cannot answer INIT on /dev/fuse', { cause: error });
  }
}

/** STATFS. */
import type { VolumeStat } from '../../ports/file-system.ts';
import { putStatfs } from '../wire/encode.ts';
import type { Request } from '../wire/request.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';

const volume: VolumeStat = {
  blocks: 0,
  blocksFree: 0,
  blocksAvailable: 0,
  files: 0,
  filesFree: 0,
  blockSize: 0,
  nameLengthMax: 0,
};

export function statfs(context: Context, _request: Request): Outcome {
  const failed = context.fs.statVolume(context.root, volume);
  return failed < 0 ? failed : putStatfs(context.reply, volume);
}

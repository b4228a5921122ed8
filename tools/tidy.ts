/**
 * House rules that neither compiler nor linter knows: `npm run check -- tidy`. Rules for one file
 * are in `tidy/source-rules.ts`, rules for all of them together in `tidy/tree-rules.ts`.
 */
import { fileURLToPath } from 'node:url';
import { ROOT } from './lib/paths.ts';
import { type Finding, readCheckout } from './tidy/files.ts';
import { checkFile } from './tidy/source-rules.ts';
import { checkTree } from './tidy/tree-rules.ts';

function tidy(root: string): readonly Finding[] {
  const { files, paths } = readCheckout(root);
  return [...files.flatMap((file) => checkFile(file)), ...checkTree(files, paths)];
}

function main(): number {
  const findings = tidy(ROOT);
  for (const { path, line, message } of findings) {
    console.log(line === 0 ? `${path} ${message}` : `${path}:${line} ${message}`);
  }
  if (findings.length > 0) console.log(`${findings.length} untidy places`);
  return findings.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main();

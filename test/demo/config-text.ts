/** The configuration of a lab's cluster, as an administrator would write it. */
import type { Lab } from '../hosts/lab.ts';
import type { App } from './app.ts';

export interface ConfigChoices {
  readonly cluster?: string | undefined;
  readonly keyFile: string;
  /** Lines below `timing:`; the defaults unless given. */
  readonly timing?: readonly string[] | undefined;
  readonly restarts?: string | undefined;
  /** Lines below `hooks:` of the group. */
  readonly hooks?: ((lab: Lab) => readonly string[]) | undefined;
}

export function configText(lab: Lab, app: App, choices: ConfigChoices): string {
  const [first, second] = lab.hosts.filter(({ links }) => links.includes('mirror'));
  if (first === undefined || second === undefined) throw new Error('The lab has no two nodes');
  const node = (host: typeof first): string =>
    `  ${host.name}: { mirror: ${host.address('mirror').ipv4}, lan: ${host.address('lan').ipv4} }`;
  const witness = lab.host('w1').address('lan').ipv4;
  const direct = lab.mirrorLink === 'direct' ? ', direct: true' : '';
  return [
    `cluster: ${choices.cluster ?? 'demo'}`,
    `key-file: ${choices.keyFile}`,
    ...(choices.timing === undefined ? [] : ['timing:', ...indent(choices.timing, 2)]),
    'links:',
    `  mirror: { kind: udp${direct} }`,
    '  lan: { kind: udp }',
    'nodes:',
    node(first),
    node(second),
    'witness:',
    `  w1: { lan: ${witness} }`,
    'groups:',
    `  ${app.name}:`,
    `    nodes: [${first.name}, ${second.name}]`,
    ...(choices.hooks === undefined ? [] : ['    hooks:', ...indent(choices.hooks(lab), 6)]),
    '    resources:',
    `      data: { agent: mirror, path: /srv/${app.name} }`,
    `      address: { agent: virtual-ip, address: ${lab.virtualAddress(0)}/24, link: lan }`,
    '      service:',
    ...indent(app.service(lab), 8),
    ...(choices.restarts === undefined ? [] : [`        restarts: ${choices.restarts}`]),
    '',
  ].join('\n');
}

function indent(lines: readonly string[], by: number): string[] {
  return lines.map((line) => ' '.repeat(by) + line);
}

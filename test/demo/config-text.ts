/** The configuration of a lab's cluster, as an administrator would write it. */
import type { Host } from '../hosts/host.ts';
import type { Lab } from '../hosts/lab.ts';
import type { App } from './app.ts';

export interface ConfigChoices {
  readonly cluster?: string | undefined;
  readonly keyFile: string;
  /** The hosts that run groups. */
  readonly nodes: readonly Host[];
  /** Undefined: the nodes decide by themselves. */
  readonly witness: Host | undefined;
  /** Lines below `registry:`; the members hold the records unless given. */
  readonly registry?: ((lab: Lab) => readonly string[]) | undefined;
  /** Lines below `timing:`; the defaults unless given. */
  readonly timing?: readonly string[] | undefined;
  readonly restarts?: string | undefined;
  /** More lines for the top of the file. */
  readonly top?: ((lab: Lab) => readonly string[]) | undefined;
  /** Lines below `hooks:` of the group. */
  readonly hooks?: ((lab: Lab) => readonly string[]) | undefined;
  /** Lines below `groups:`, of further groups. */
  readonly moreGroups?: readonly string[] | undefined;
}

export function configText(lab: Lab, app: App, choices: ConfigChoices): string {
  const { nodes, witness } = choices;
  const node = (host: Host): string =>
    `  ${host.name}: { mirror: ${host.address('mirror').ipv4}, lan: ${host.address('lan').ipv4} }`;
  const direct = lab.mirrorLink === 'direct' ? ', direct: true' : '';
  return [
    `cluster: ${choices.cluster ?? 'demo'}`,
    `key-file: ${choices.keyFile}`,
    ...(choices.timing === undefined ? [] : ['timing:', ...indent(choices.timing, 2)]),
    'links:',
    `  mirror: { kind: udp${direct} }`,
    '  lan: { kind: udp }',
    'nodes:',
    ...nodes.map(node),
    ...(witness === undefined
      ? []
      : ['witness:', `  ${witness.name}: { lan: ${witness.address('lan').ipv4} }`]),
    ...(choices.top?.(lab) ?? []),
    ...(choices.registry === undefined ? [] : ['registry:', ...indent(choices.registry(lab), 2)]),
    'groups:',
    `  ${app.name}:`,
    `    nodes: [${copiesOn(nodes)
      .map(({ name }) => name)
      .join(', ')}]`,
    ...(choices.hooks === undefined ? [] : ['    hooks:', ...indent(choices.hooks(lab), 6)]),
    '    resources:',
    `      data: { agent: mirror, path: /srv/${app.name} }`,
    `      address: { agent: virtual-ip, address: ${lab.virtualAddress(0)}/24, link: lan }`,
    '      service:',
    ...indent(app.service(lab), 8),
    ...(choices.restarts === undefined ? [] : [`        restarts: ${choices.restarts}`]),
    ...indent(choices.moreGroups ?? [], 2),
    '',
  ].join('\n');
}

/** The nodes with a copy: three at the most, the others only vote. */
export function copiesOn(nodes: readonly Host[]): readonly Host[] {
  return nodes.slice(0, 3);
}

function indent(lines: readonly string[], by: number): string[] {
  return lines.map((line) => ' '.repeat(by) + line);
}

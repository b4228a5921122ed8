/**
 * What can be understood of a configuration that may still have faults: each part that fits its
 * own schema is there with its value, and each part that does not is there by name only. So the
 * checks across parts can run beside the schema's, and the administrator sees all faults at once
 * without faults that merely follow from others.
 */
import type { z } from 'zod';
import {
  addressesSchema,
  fenceSchema,
  amountsSchema,
  CAPACITY_KEY,
  groupSchema,
  linkSchema,
  registrySchema,
  type ResourceFile,
  resourceSchema,
  shareWitnessSchema,
  timingSchema,
} from './config-schema.ts';
import type { ConfigPath } from './config-finding.ts';

export interface DraftMember {
  readonly id: string;
  readonly path: ConfigPath;
  /** By link; undefined when they are faulty. */
  readonly addresses: ReadonlyMap<string, string> | undefined;
  readonly capacity: Readonly<Record<string, number>>;
}

export interface DraftResource {
  readonly id: string;
  readonly path: ConfigPath;
  /** Undefined when it is faulty. */
  readonly value: ResourceFile | undefined;
}

export interface DraftGroup {
  readonly id: string;
  readonly path: ConfigPath;
  /** Undefined when the list is faulty. */
  readonly nodes: readonly string[] | undefined;
  /** Undefined when it is faulty or not given. */
  readonly type: string | undefined;
  /** All that are given, faulty or not. */
  readonly words: readonly string[];
  readonly hooks: readonly string[];
  readonly failback: string | undefined;
  readonly failbackAfter: string | undefined;
  readonly failbackWindows: boolean;
  /** Groups that it names, by the word; nothing where the list is faulty. */
  readonly relations: Readonly<Record<Relation, readonly string[]>>;
  readonly needs: Readonly<Record<string, number>>;
  readonly resources: readonly DraftResource[];
}

export const RELATIONS = ['after', 'together', 'apart', 'apart-if-possible'] as const;
export type Relation = (typeof RELATIONS)[number];

export interface Draft {
  readonly keyFile: string | undefined;
  readonly basePort: number | undefined;
  readonly timing: z.infer<typeof timingSchema> | undefined;
  readonly links: readonly { id: string; path: ConfigPath; direct: boolean }[];
  readonly nodes: readonly DraftMember[];
  readonly witnesses: readonly DraftMember[];
  /** The file has the word, whatever it says below it. */
  readonly hasRegistry: boolean;
  readonly registry: z.infer<typeof registrySchema> | undefined;
  readonly groups: readonly DraftGroup[];
  /** What is written, whatever it is; undefined for nothing. */
  readonly withoutWitness: unknown;
  readonly fenceDelay: unknown;
  readonly fences: readonly DraftFence[];
}

export interface DraftFence {
  readonly id: string;
  readonly path: ConfigPath;
  /** Undefined for the default, or where it is faulty. */
  readonly timeout: string | undefined;
}

export function readDraft(file: unknown): Draft {
  const top = entries(file);
  const value = (key: string): unknown => top.find(([k]) => k === key)?.[1];
  const keyFile = value('key-file');
  const basePort = value('base-port');
  const timing = timingSchema.strip().safeParse(value('timing') ?? {});
  const registry = registrySchema.safeParse(value('registry'));
  return {
    keyFile: typeof keyFile === 'string' ? keyFile : undefined,
    basePort: typeof basePort === 'number' ? basePort : undefined,
    timing: timing.success ? timing.data : undefined,
    links: entries(value('links')).map(([id, link]) => {
      const parsed = linkSchema.safeParse(link);
      return { id, path: ['links', id], direct: parsed.success && parsed.data.direct === true };
    }),
    nodes: entries(value('nodes')).map((entry) => readMember('nodes', entry)),
    witnesses: entries(value('witness')).map((entry) => readMember('witness', entry)),
    hasRegistry: value('registry') !== undefined,
    registry: registry.success ? registry.data : undefined,
    groups: entries(value('groups')).map(readGroup),
    withoutWitness: value('without-witness'),
    fenceDelay: value('fence-delay'),
    fences: entries(value('fences')).map(([id, fence]) => {
      const timeout = new Map(entries(fence)).get('timeout');
      const path = ['fences', id];
      return { id, path, timeout: fenceSchema.shape.timeout.safeParse(timeout).data };
    }),
  };
}

function readMember(section: string, [id, member]: [string, unknown]): DraftMember {
  const fields = entries(member);
  const own = Object.fromEntries(fields.filter(([key]) => key !== CAPACITY_KEY));
  const share = section === 'witness' && shareWitnessSchema.safeParse(member).success;
  const isMap = typeof member === 'object' && member !== null && !Array.isArray(member);
  const parsed = addressesSchema.safeParse(isMap && section === 'nodes' ? own : member);
  const addresses = !share && parsed.success ? new Map(Object.entries(parsed.data)) : undefined;
  const capacity = amountsSchema.safeParse(new Map(fields).get(CAPACITY_KEY)).data ?? {};
  return { id, path: [section, id], addresses, capacity };
}

function readGroup([id, group]: [string, unknown]): DraftGroup {
  const path = ['groups', id];
  const fields = new Map(entries(group));
  const nodes = groupSchema.shape.nodes.safeParse(fields.get('nodes'));
  const resources = entries(fields.get('resources')).map(([name, resource]) => {
    const parsed = resourceSchema.safeParse(resource);
    return {
      id: name,
      path: [...path, 'resources', name],
      value: parsed.success ? parsed.data : undefined,
    };
  });
  const named = (word: Relation): readonly string[] =>
    groupSchema.shape[word].safeParse(fields.get(word)).data ?? [];
  return {
    id,
    path,
    nodes: nodes.success ? nodes.data : undefined,
    relations: {
      after: named('after'),
      together: named('together'),
      apart: named('apart'),
      'apart-if-possible': named('apart-if-possible'),
    },
    needs: groupSchema.shape.needs.safeParse(fields.get('needs')).data ?? {},
    type: groupSchema.shape.type.safeParse(fields.get('type')).data,
    words: [...fields.keys()],
    hooks: entries(fields.get('hooks')).map(([point]) => point),
    failback: groupSchema.shape.failback.safeParse(fields.get('failback')).data,
    failbackWindows: fields.has('failback-windows'),
    failbackAfter: groupSchema.shape['failback-after'].safeParse(fields.get('failback-after')).data,
    resources,
  };
}

function entries(value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value);
}

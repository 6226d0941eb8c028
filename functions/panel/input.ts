import * as z from 'zod/mini';
import type { OperatorCommand } from '../guard/policy/operator.ts';
import { SECRET_NAME } from '../guard/settings/formats.ts';
import { INTEGRATION_ID } from '../qonversion/schema.ts';
import { type PanelChoice, SHOWN, SORTED, USUAL_CHOICE } from './view.ts';

/** Parses what CloudWatch sends to a custom widget's function. Untrusted: every caller that may invoke the function can send anything. */

export type Action = 'pause' | 'resume' | 'ignore' | 'unignore' | 'run';

export type PanelInput =
  /** The console asks which parameters the widget takes. */
  | { readonly wants: 'description' }
  | { readonly wants: 'panel'; readonly project: string; readonly reader: Reader }
  /** The panel of the fleet, before the reader has entered a project. */
  | { readonly wants: 'choice'; readonly reader: Reader }
  | ActionInput;

export type ActionInput = { readonly wants: 'action'; readonly project: string; readonly reader: Reader } & (
  | { readonly action: Exclude<Action, 'run'>; readonly id: string }
  | { readonly action: 'run' }
);

/** The view that the reader chose, and the theme. */
export interface Reader {
  readonly theme: 'light' | 'dark';
  readonly choice: PanelChoice;
  /** Whether it is the panel of the fleet, on which the reader enters any of its projects. */
  readonly fleet: boolean;
}

/** The projects that a caller may name. */
export interface Askable {
  /** Names of the listed projects. */
  readonly projects: readonly string[];
  /** Whether there is a fleet. The tags of the secrets say which projects it has. */
  readonly fleet: boolean;
}

/** The operator's command behind each button. A button has no field for a duration, so it ignores for a day. */
export const ORDER_OF = {
  pause: 'pause',
  resume: 'resume',
  ignore: { ignoreForMinutes: 24 * 60 },
  unignore: 'unignore',
} as const satisfies Record<Exclude<Action, 'run'>, OperatorCommand>;

/** Fields of other widgets on the dashboard may be sent too. An unknown field or an invalid value is ignored. */
const fields = z.object({
  find: z.catch(z.string().check(z.maxLength(100)), USUAL_CHOICE.find),
  show: z.catch(z.enum(SHOWN), USUAL_CHOICE.show),
  sort: z.catch(z.enum(SORTED), USUAL_CHOICE.sort),
  /** Where the reader of the fleet's panel enters a project. */
  fleetProject: z.catch(z.string().check(z.trim(), z.maxLength(512)), ''),
});

const USUAL_FIELDS = { ...USUAL_CHOICE, fleetProject: '' };

const widgetContext = z.catch(
  z.object({
    theme: z.catch(z.enum(['light', 'dark']), 'light'),
    forms: z.catch(z.object({ all: z.catch(fields, USUAL_FIELDS) }), { all: USUAL_FIELDS }),
  }),
  { theme: 'light', forms: { all: USUAL_FIELDS } },
);

const describe = z.looseObject({ describe: z.literal(true) });

const project = z.string('a project name');

const onWhichPanel = { fleet: z.optional(z.literal(true)), widgetContext: z.optional(widgetContext) };

const panel = z.strictObject({ project: z.optional(project), ...onWhichPanel });

const onOne = z.strictObject({
  project,
  action: z.enum(['pause', 'resume', 'ignore', 'unignore']),
  id: z.string().check(z.regex(INTEGRATION_ID)),
  ...onWhichPanel,
});

const onProject = z.strictObject({ project, action: z.literal('run'), ...onWhichPanel });

/** @returns null for anything that is not a request of the panel */
export function parsePanelInput(event: unknown, askable: Askable): PanelInput | null {
  if (describe.safeParse(event).success) return { wants: 'description' };
  const look = panel.safeParse(event);
  if (look.success) return toLook(look.data, askable);

  const act = z.union([onOne, onProject]).safeParse(event);
  if (!act.success || !isKnown(act.data.project, askable)) return null;
  const { widgetContext: context, fleet, ...asked } = act.data;
  return { ...asked, wants: 'action', reader: toReader(context, fleet) };
}

function toLook({ project: named, widgetContext: context, fleet }: z.output<typeof panel>, askable: Askable) {
  const reader = toReader(context, fleet);
  if (reader.fleet) {
    if (!askable.fleet) return null;
    // A name that the reader has just entered wins over the project shown so far.
    const wanted = context?.forms.all.fleetProject || named;
    if (wanted === undefined) return { wants: 'choice', reader } as const;
    return isKnown(wanted, askable) ? ({ wants: 'panel', project: wanted, reader } as const) : null;
  }
  const wanted = named ?? (askable.projects.length === 1 ? askable.projects[0] : undefined);
  return wanted !== undefined && isKnown(wanted, askable)
    ? ({ wants: 'panel', project: wanted, reader } as const)
    : null;
}

function isKnown(name: string, { projects, fleet }: Askable): boolean {
  return projects.includes(name) || (fleet && SECRET_NAME.test(name));
}

function toReader(context: z.output<typeof widgetContext> | undefined, fleet: true | undefined): Reader {
  const { fleetProject: _, ...choice } = context?.forms.all ?? USUAL_FIELDS;
  return { theme: context?.theme ?? 'light', choice, fleet: fleet === true };
}

import * as z from 'zod/mini';
import type { Order } from '../guard/decide.ts';
import { INTEGRATION_ID } from '../qonversion/schema.ts';
import { type PanelChoice, SHOWN, SORTED, USUAL_CHOICE } from './view.ts';

/** What CloudWatch sends a custom widget's function, looked at with suspicion: whoever may invoke it may send anything. */

export type Action = 'pause' | 'resume' | 'ignore' | 'heed' | 'run';

export type PanelInput =
  /** The console asks what the widget takes. */
  | { readonly wants: 'description' }
  | { readonly wants: 'panel'; readonly project: string; readonly reader: Reader }
  | ActionInput;

export type ActionInput = { readonly wants: 'action'; readonly project: string; readonly reader: Reader } & (
  | { readonly action: Exclude<Action, 'run'>; readonly id: string }
  | { readonly action: 'run' }
);

/** How and what the reader wants to see. */
export interface Reader {
  readonly theme: 'light' | 'dark';
  readonly choice: PanelChoice;
}

/** What an operator orders by an action on one integration. A day is what a button can say without asking. */
export const ORDER_OF = {
  pause: 'pause',
  resume: 'resume',
  ignore: { ignoreForMinutes: 24 * 60 },
  heed: 'heed',
} as const satisfies Record<Exclude<Action, 'run'>, Order>;

/** Fields of other widgets on the dashboard may come along; what is not ours or not sensible is as if it were not there. */
const fields = z.object({
  find: z.catch(z.string().check(z.maxLength(100)), USUAL_CHOICE.find),
  show: z.catch(z.enum(SHOWN), USUAL_CHOICE.show),
  sort: z.catch(z.enum(SORTED), USUAL_CHOICE.sort),
});

const widgetContext = z.catch(
  z.object({
    theme: z.catch(z.enum(['light', 'dark']), 'light'),
    forms: z.catch(z.object({ all: z.catch(fields, USUAL_CHOICE) }), { all: USUAL_CHOICE }),
  }),
  { theme: 'light', forms: { all: USUAL_CHOICE } },
);

const describe = z.looseObject({ describe: z.literal(true) });

const project = z.string('a project name');

const panel = z.strictObject({ project: z.optional(project), widgetContext: z.optional(widgetContext) });

const onOne = z.strictObject({
  project,
  action: z.enum(['pause', 'resume', 'ignore', 'heed']),
  id: z.string().check(z.regex(INTEGRATION_ID)),
  widgetContext: z.optional(widgetContext),
});

const onProject = z.strictObject({
  project,
  action: z.literal('run'),
  widgetContext: z.optional(widgetContext),
});

/**
 * @param projects names of the deployed projects: nothing else can be asked about
 * @returns null for anything that is not a request of the panel
 */
export function parsePanelInput(event: unknown, projects: readonly string[]): PanelInput | null {
  if (describe.safeParse(event).success) return { wants: 'description' };
  const known = (name: string | undefined): string | null => {
    const wanted = name ?? (projects.length === 1 ? projects[0] : undefined);
    return wanted !== undefined && projects.includes(wanted) ? wanted : null;
  };

  const look = panel.safeParse(event);
  if (look.success) {
    const name = known(look.data.project);
    return name === null ? null : { wants: 'panel', project: name, reader: toReader(look.data.widgetContext) };
  }
  const act = z.union([onOne, onProject]).safeParse(event);
  if (!act.success) return null;
  const name = known(act.data.project);
  if (name === null) return null;
  const { widgetContext: context, ...asked } = act.data;
  return { ...asked, wants: 'action', project: name, reader: toReader(context) };
}

function toReader(context: z.output<typeof widgetContext> | undefined): Reader {
  return { theme: context?.theme ?? 'light', choice: context?.forms.all ?? USUAL_CHOICE };
}

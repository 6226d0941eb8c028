import type { Context } from 'aws-lambda';
import * as z from 'zod/mini';
import { readPassEnvironment } from '../aws/environment.ts';
import { NoSuchProjectError } from '../aws/fleet.ts';
import { createLazyAlertSink } from '../aws/lazy-alert-sink.ts';
import { publishPass } from '../aws/metrics.ts';
import { describeFailure, figuresOf, type PassSummary, summarize } from '../aws/pass-summary.ts';
import { createRuntime, type Invocation, readBundledSettings } from '../aws/runtime.ts';
import { GuardError } from '../guard/errors.ts';
import { runPass } from '../guard/pass/run-pass.ts';
import { ALERT_RESERVE_MS } from '../guard/pass/time-budget.ts';
import type { Settings } from '../guard/settings/schema.ts';

/**
 * The Lambda entry point of the fleet: one pass over one project that a secret's tag defines. The input is the
 * project's name and nothing else. The API's address and the policies come from the bundled settings.
 */

export interface FleetPassSummary extends PassSummary {
  /**
   * Why the pass could not run, or null. The alert has been delivered, so this is not an error of the function: among a
   * thousand customers, one has always just revoked a key.
   */
  readonly failure: string | null;
}

/** The pass could not alert anyone. The invocation fails, so that an alarm fires. */
export class PassUndeliveredError extends GuardError {
  override readonly name = 'PassUndeliveredError';
}

type FleetPass = (event: unknown, invocation: Invocation) => Promise<FleetPassSummary>;

/** Made once per warm environment. */
let pass: FleetPass | null = null;

export async function handler(event: unknown, context: Context): Promise<FleetPassSummary> {
  pass ??= createFleetPass(process.env, readBundledSettings(import.meta.url));
  return pass(event, context);
}

export function createFleetPass(variables: NodeJS.ProcessEnv, settings: Settings): FleetPass {
  const environment = readPassEnvironment(variables);
  const runtime = createRuntime(environment, settings);
  const alerts = createLazyAlertSink(environment, runtime);

  return async (event, invocation) => {
    const name = parseInput(event);
    if (Object.hasOwn(settings.projects, name))
      throw new NoSuchProjectError(`project "${name}" is listed in the settings; it is not one of the fleet`);
    const { project, ...opened } = await runtime.open(name, invocation, ALERT_RESERVE_MS);
    const { clock } = runtime;
    const report = await runPass({ ...opened, clock, alerts }, project);
    await publishPass(report, settings);
    const failure = report.ok ? null : describeFailure(report);
    const figures = { ...figuresOf(report), ...(failure === null ? {} : { failure }) };
    if (!report.settled) {
      opened.log.error('pass failed', figures);
      throw new PassUndeliveredError(`the pass over "${name}" failed, and not every alert was delivered: ${failure}`);
    }
    opened.log.info(failure === null ? 'pass done' : 'pass failed, alerts delivered', figures);
    return { ...summarize(report), failure };
  };
}

const input = z.strictObject({ project: z.string() });

function parseInput(event: unknown): string {
  const parsed = input.safeParse(event);
  if (parsed.success) return parsed.data.project;
  throw new GuardError('this function takes {"project": NAME} and nothing else, with NAME a project of the fleet');
}

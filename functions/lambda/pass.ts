import type { Context } from 'aws-lambda';
import * as z from 'zod/mini';
import { readPassEnvironment } from '../aws/environment.ts';
import { createLazyAlertSink } from '../aws/lazy-alert-sink.ts';
import { publishPass } from '../aws/metrics.ts';
import { describeFailure, logPass, type PassSummary, summarize } from '../aws/pass-summary.ts';
import { createRuntime, type Invocation, readBundledSettings } from '../aws/runtime.ts';
import { GuardError } from '../guard/errors.ts';
import { runPass } from '../guard/pass/run-pass.ts';
import { ALERT_RESERVE_MS } from '../guard/pass/time-budget.ts';
import type { Settings } from '../guard/settings/schema.ts';

/** The Lambda entry point of a listed project: one scheduled pass. The input is the project's name and nothing else. */

/**
 * The pass could not run, could not deliver every alert, or could not record its results. The invocation fails, so that
 * the alarms fire.
 */
export class PassFailedError extends GuardError {
  override readonly name = 'PassFailedError';
}

type Pass = (event: unknown, invocation: Invocation) => Promise<PassSummary>;

/** Made once per warm environment. */
let pass: Pass | null = null;

export async function handler(event: unknown, context: Context): Promise<PassSummary> {
  pass ??= createPass(process.env, readBundledSettings(import.meta.url));
  return pass(event, context);
}

export function createPass(variables: NodeJS.ProcessEnv, settings: Settings): Pass {
  const environment = readPassEnvironment(variables);
  const runtime = createRuntime(environment, settings);
  const alerts = createLazyAlertSink(environment, runtime);

  return async (event, invocation) => {
    const { project, ...opened } = await runtime.open(parseInput(event, settings), invocation, ALERT_RESERVE_MS);
    const { clock } = runtime;
    const report = await runPass({ ...opened, clock, alerts }, project);
    await publishPass(report, settings);
    logPass(opened.log, report);
    if (!report.ok) throw new PassFailedError(`the pass over "${project.name}" failed: ${describeFailure(report)}`);
    return summarize(report);
  };
}

const input = z.strictObject({ project: z.string() });

/** A caller can only choose a deployed project: no host, no policy, no secret. */
function parseInput(event: unknown, settings: Settings): string {
  const known = Object.keys(settings.projects);
  const parsed = input.safeParse(event);
  if (parsed.success && Object.hasOwn(settings.projects, parsed.data.project)) return parsed.data.project;
  throw new GuardError(`this function takes {"project": NAME} and nothing else, with NAME one of: ${known.join(', ')}`);
}

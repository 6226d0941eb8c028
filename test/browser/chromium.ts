import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const run = promisify(execFile);

/**
 * A headless Chromium: the program in CHROMIUM, or the first of the usual names on the PATH. On Debian, as root, it is
 * installed if it is missing.
 * @throws one sentence when Chromium cannot be found or installed
 */
export async function launchChromium(): Promise<Browser> {
  const executablePath = (await findChromium()) ?? (await installChromium());
  return chromium.launch({
    executablePath,
    // As root, for example in a container, Chromium cannot use its sandbox. No option may cause requests to the internet.
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // The same pixels on every machine, as far as fonts allow.
      '--force-device-scale-factor=1',
      '--hide-scrollbars',
    ],
  });
}

async function findChromium(): Promise<string | null> {
  const { CHROMIUM } = process.env;
  if (CHROMIUM !== undefined && CHROMIUM !== '') return CHROMIUM;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']) {
    const found = await run('sh', ['-c', `command -v ${name}`]).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    );
    if (found !== '') return found;
  }
  return null;
}

async function installChromium(): Promise<string> {
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'], {
      env,
      maxBuffer: 64 * 1_024 * 1_024,
    });
  } catch (cause) {
    throw new Error(
      'the browser tests need Chromium: install it (on Debian: apt-get install chromium), or name one in CHROMIUM',
      { cause },
    );
  }
  const found = await findChromium();
  if (found === null) throw new Error('Chromium was installed and is not on the PATH; name it in CHROMIUM');
  return found;
}

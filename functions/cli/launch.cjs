#!/usr/bin/env node
'use strict';
// The entry point of the command line. Every version of Node can read it, so an old one reports a clear error.
var path = require('node:path');
var fs = require('node:fs');
var url = require('node:url');

var NEEDED = 22;
var root = path.join(__dirname, '..', '..');
// In a checkout, Node 24 runs the sources. Older versions, and the package, need the build.
var source = path.join(root, 'functions', 'cli', 'main.ts');
var built = path.join(root, 'dist', 'cli', 'main.mjs');
var canRunSource = process.features.typescript && fs.existsSync(source);

if (Number(process.versions.node.split('.')[0]) < NEEDED) {
  fail(
    'Integration Guard needs Node ' +
      NEEDED +
      ' or newer, and this is Node ' +
      process.versions.node +
      '. Install a newer version.',
  );
} else if (!canRunSource && !fs.existsSync(built)) {
  fail('Node ' + process.versions.node + ' does not run the TypeScript sources. Build them first: npm run build');
} else {
  import(url.pathToFileURL(canRunSource ? source : built).href).catch(function (error) {
    var reason = String(Object(error).message)
      .split('\n')[0]
      .replace(/[^\x20-\x7e]/g, '?')
      .slice(0, 300);
    fail('the command line cannot be loaded (' + reason + '). Install it again: npm ci');
  });
}

function fail(sentence) {
  var failure = { name: 'GuardError', message: sentence, exitCode: 1 };
  if (process.argv.indexOf('--json') === -1) process.stderr.write('integration-guard: ' + sentence + '\n');
  else process.stdout.write(JSON.stringify({ error: failure }, null, 2) + '\n');
  process.exitCode = 1;
}

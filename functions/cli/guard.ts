#!/usr/bin/env node
console.log('x', process.version, process.argv.slice(2));

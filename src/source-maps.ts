// Loaded before the program: stack traces name the lines of src, without keeping the source maps of every package in memory.
import { setSourceMapsSupport } from 'node:module';

setSourceMapsSupport(true, { nodeModules: false, generatedCode: false });

/**
 * Compiles a file for Jest: its modules are CommonJS, so what is written in other forms becomes that.
 * Jest calls this for each file whose result it has not cached.
 */
const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { transformSync, version } = require("esbuild");

const OWN_TEXT = readFileSync(__filename);

module.exports = {
	/**
	 * Compiles a file.
	 *
	 * @param {string} text
	 * @param {string} path
	 */
	process(text, path) {
		return transformSync(text, {
			format: "cjs",
			loader: path.endsWith(".ts") ? "ts" : "js",
			platform: "node",
			sourcefile: path,
			sourcemap: "external",
			sourcesContent: false,
			// Jest's modules have no `import()`, so it becomes `require()`.
			supported: { "dynamic-import": false },
			target: "node20.19",
		});
	},

	/**
	 * Names the result in the cache: it depends on this file and on esbuild too.
	 *
	 * @param {string} text
	 * @param {string} path
	 */
	getCacheKey(text, path) {
		const hash = createHash("sha256").update(OWN_TEXT).update(version);
		return hash.update(path).update("\0").update(text).digest("hex");
	},
};

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The folder of this package, from its sources and from the bundles in `dist/` alike.
 *
 * @throws when no folder above holds a `package.json`
 */
export function packageRoot(): string {
	let folder = __dirname;
	while (!existsSync(join(folder, "package.json"))) {
		if (folder === dirname(folder))
			throw new Error(`no package.json above ${__dirname}`);
		folder = dirname(folder);
	}
	return folder;
}

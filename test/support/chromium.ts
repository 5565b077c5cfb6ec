import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = [
	"chromium",
	"chromium-browser",
	"google-chrome",
	"google-chrome-stable",
];

/**
 * Finds the browser on this machine: the environment's `CHROMIUM_PATH`, else the first known name on `PATH`.
 *
 * @throws when there is none, saying how to get one
 */
export function findChromium(): string {
	const { CHROMIUM_PATH, PATH = "" } = process.env;
	if (CHROMIUM_PATH) return CHROMIUM_PATH;
	for (const folder of PATH.split(delimiter))
		for (const name of NAMES) {
			const path = join(folder, name);
			try {
				accessSync(path, constants.X_OK);
				return path;
			} catch {}
		}
	throw new Error(
		`no browser: install Debian's package chromium (looked on PATH for ${NAMES.join(", ")}), or set CHROMIUM_PATH`,
	);
}

/** `npm run build`: all bundles, or those that the arguments name. */
import { BUNDLE_NAMES, type BundleName, bundle } from "./bundles";

const isBundleName = (name: string): name is BundleName =>
	BUNDLE_NAMES.some((known) => known === name);

async function main() {
	const names = process.argv.slice(2);
	const unknown = names.find((name) => !isBundleName(name));
	if (unknown !== undefined)
		throw new Error(`no bundle ${unknown}: ${BUNDLE_NAMES.join(", ")}`);
	const wanted = names.length > 0 ? names.filter(isBundleName) : BUNDLE_NAMES;
	await Promise.all(wanted.map(bundle));
}

main().catch((error) => {
	console.error(error);
	process.exitCode = 1;
});

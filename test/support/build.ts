import { BUNDLE_NAMES, bundle } from "../../build/bundles";

/** Builds what the tests start as processes, once per run (Jest's `globalSetup`). */
export default async function build(): Promise<void> {
	await Promise.all(BUNDLE_NAMES.map(bundle));
}

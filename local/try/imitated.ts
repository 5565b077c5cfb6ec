/** What of a configuration the local gateway runs; the rest is left out and named. */
import {
	type Entities,
	type LeftOut,
	type PluginEntity,
	withoutNothing,
} from "../gateway/entities";
import { standIns } from "../gateway/plugins";

/** Plugins that would act on this machine, or on clients that are not there. */
const NEVER = ["file-log", "mtls-auth"];

/**
 * Leaves out the plugins, and the fields of plugins, that have no stand-in here.
 *
 * @param isExternal whether a plugin runs in a plugin server, by its name
 * @returns the entities, and what was left out
 */
export function imitated(
	entities: Entities,
	isExternal: (name: string) => boolean,
): { entities: Entities; leftOut: LeftOut[] } {
	const leftOut: LeftOut[] = [];
	const reduced = new Map<PluginEntity, PluginEntity | undefined>();
	const reduce = (entry: PluginEntity) => {
		if (!reduced.has(entry)) reduced.set(entry, reducedEntry(entry, leftOut));
		return reduced.get(entry);
	};
	const routes = entities.routes.map((route) => ({
		...route,
		plugins: route.plugins
			.map((entry) => (isExternal(entry.name) ? entry : reduce(entry)))
			.filter((entry) => entry !== undefined),
	}));
	return { entities: { ...entities, routes }, leftOut };
}

function reducedEntry(
	entry: PluginEntity,
	leftOut: LeftOut[],
): PluginEntity | undefined {
	const { name, place } = entry;
	const plugin = NEVER.includes(name) ? undefined : standIns[name];
	if (!plugin) {
		leftOut.push({ what: `plugin ${name}`, place });
		return undefined;
	}
	const config = withoutNothing(entry.config) as Record<string, unknown>;
	for (const field of plugin.check.faults(config)) {
		leftOut.push({ what: `${field} of plugin ${name}`, place });
		delete config[field];
	}
	return { ...entry, config };
}

/** One line for each kind of thing that was left out, with the place of the first. */
export function linesOf(leftOut: LeftOut[]): string[] {
	const places = new Map<string, string[]>();
	for (const { what, place } of leftOut)
		places.set(what, [...(places.get(what) ?? []), place]);
	return [...places].map(([what, [first, ...others]]) =>
		others.length > 0
			? `${what} (${first}, and ${others.length} more)`
			: `${what} (${first})`,
	);
}

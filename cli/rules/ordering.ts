/** In which order the plugins on a route run: by priority, unless `ordering` of Kong Enterprise moves one. */
import { configOf, type PluginEntry } from "../../declarative/model";
import { lookup, plain } from "../../declarative/text";
import { Name, Priority } from "../../plugins/x-custom-jwt";
import { at, type Found } from "./rule";
import { priorityOf, SECURITY_PLUGINS } from "./security-plugins";
import type { Check, CheckedEntry, CheckedRoute } from "./subjects";

const DOCS = "docs/auth-plugins.md has the order of Kong's plugins.";

/** The names in `ordering.before.access` or `ordering.after.access` of an entry. */
function ordered(
	{ file, map }: PluginEntry,
	side: "before" | "after",
): string[] {
	const access: unknown = Object(
		Object(plain(file, map, "ordering"))[side],
	).access;
	return Array.isArray(access) ? access.map(String) : [];
}

/** Whether an entry has `ordering`. */
function isMoved({ file, map }: PluginEntry): boolean {
	return plain(file, map, "ordering") instanceof Object;
}

/** By the name of each plugin, those that `ordering` puts right behind it. */
function successors(plugins: readonly PluginEntry[]): Map<string, string[]> {
	const there = new Set(plugins.map(({ name }) => name));
	const found = new Map<string, string[]>();
	const add = (first: string, second: string) => {
		if (there.has(first) && there.has(second))
			found.set(first, [...(found.get(first) ?? []), second]);
	};
	for (const plugin of plugins) {
		for (const name of ordered(plugin, "before")) add(plugin.name, name);
		for (const name of ordered(plugin, "after")) add(name, plugin.name);
	}
	return found;
}

/** Whatever a name leads to. */
function reachable(from: string, next: Map<string, string[]>): Set<string> {
	const found = new Set<string>();
	const waiting = [from];
	for (let name = waiting.pop(); name !== undefined; name = waiting.pop())
		for (const other of next.get(name) ?? [])
			if (!found.has(other)) {
				found.add(other);
				waiting.push(other);
			}
	return found;
}

function ownPriority(name: string): number {
	return name === Name ? Priority : (priorityOf(name) ?? 0);
}

/** Whether a plugin runs before another one on the same route. */
export function runsBefore(
	first: string,
	second: string,
	plugins: readonly PluginEntry[],
): boolean {
	if (!plugins.some(isMoved)) return ownPriority(first) > ownPriority(second);
	const next = successors(plugins);
	if (reachable(first, next).has(second)) return true;
	if (reachable(second, next).has(first)) return false;
	return rank(first, next) > rank(second, next);
}

/** The priority that a plugin has in effect: what it must run before or after moves it along. */
function rank(name: string, next: Map<string, string[]>): number {
	const before = [...reachable(name, next)].map(ownPriority);
	const after = [...next.keys()]
		.filter((other) => reachable(other, next).has(name))
		.map(ownPriority);
	const highest = Math.max(ownPriority(name), ...before);
	return Math.min(highest, ...after.map((priority) => priority - 0.5));
}

/** The security plugins on a route that run before this plugin. */
export function guardsOf({ plugins }: CheckedRoute): string[] {
	return plugins
		.map(({ name }) => name)
		.filter((name) => SECURITY_PLUGINS.includes(name))
		.filter((name) => runsBefore(name, Name, plugins));
}

/** The security plugins on a route that run after this plugin. */
export function latecomersOf(checked: CheckedRoute): string[] {
	const guards = guardsOf(checked);
	return checked.plugins
		.map(({ name }) => name)
		.filter((name) => SECURITY_PLUGINS.includes(name))
		.filter((name) => !guards.includes(name));
}

/** Where `ordering` stands: this plugin's own, else another's. */
function placeOf({ plugins }: CheckedRoute, entry: PluginEntry): PluginEntry {
	return isMoved(entry) ? entry : (plugins.find(isMoved) ?? entry);
}

function atOrdering(
	checked: CheckedRoute,
	entry: PluginEntry,
	message: string,
	cure: string,
): Found {
	const { file, map } = placeOf(checked, entry);
	return at(file, lookup(file, map, "ordering") ?? map, {
		message: `${entry.name} on ${entry.scope}: ${message}`,
		cure,
	});
}

export function beforeAuthentication({ entry, routes }: CheckedEntry): Found[] {
	return routes.flatMap((checked) =>
		latecomersOf(checked)
			.filter((name) => ownPriority(name) > Priority)
			.map((name) =>
				atOrdering(
					checked,
					entry,
					`ordering makes it run before ${name} on route ${checked.route.name}, when nobody is authenticated yet`,
					`Remove ordering, or order it after ${name}. ${DOCS}`,
				),
			),
	);
}

export function guardMoved({ entry, routes, config }: CheckedEntry): Found[] {
	const header = foldedHeader(config.upstream_custom_jwt_header);
	return routes.flatMap((checked) => {
		const { plugins, route } = checked;
		const speaksOfHeader = (name: string, call: string) =>
			plugins.some((plugin) => {
				if (plugin.name !== name) return false;
				const code = JSON.stringify(configOf(plugin)).toLowerCase();
				return (
					code.includes(call) && code.replaceAll("_", "-").includes(header)
				);
			});
		const found: Found[] = [];
		if (
			speaksOfHeader("pre-function", "clear_header") &&
			!runsBefore("pre-function", entry.name, plugins)
		)
			found.push(
				atOrdering(
					checked,
					entry,
					`ordering makes it run before pre-function on route ${route.name}, which then clears the token`,
					"Remove ordering, so that pre-function runs first.",
				),
			);
		if (
			speaksOfHeader("post-function", "get_header") &&
			runsBefore("post-function", entry.name, plugins)
		)
			found.push(
				atOrdering(
					checked,
					entry,
					`ordering makes it run after post-function on route ${route.name}, which then looks for a token that is not there yet`,
					"Remove ordering, so that post-function runs last.",
				),
			);
		return found;
	});
}

function foldedHeader(name: unknown): string {
	return (typeof name === "string" ? name : "X-Custom-Jwt")
		.toLowerCase()
		.replaceAll("_", "-");
}

export function enterpriseOrdering({ configuration }: Check): Found[] {
	return configuration.plugins.filter(isMoved).map((plugin) =>
		at(plugin.file, lookup(plugin.file, plugin.map, "ordering"), {
			message: `${plugin.name} on ${plugin.scope} has ordering, which Kong Enterprise knows; open-source Kong rejects the file`,
			cure: `Remove ordering if you run open-source Kong. ${DOCS}`,
		}),
	);
}

/** What runs beside a plugin entry, on each route on which it runs. */
import { configOf, membersOf, type PluginEntry } from "../../declarative/model";
import { pathFault } from "../../declarative/paths";
import { guardsOf, latecomersOf } from "./ordering";
import { at, type Found, type Said } from "./rule";
import type { Check, CheckedEntry, CheckedRoute } from "./subjects";

/** Whether it answers a request in place of a backend, as with a JWK Set: Kong runs it after this plugin. */
function answersWell(plugin: PluginEntry): boolean {
	return (
		plugin.name === "request-termination" &&
		configOf(plugin).status_code === 200
	);
}

/** The routes of an entry on which requests reach a backend, or that are meant to have the entry. */
export function routesWithTokens({
	entry,
	routes,
}: CheckedEntry): CheckedRoute[] {
	return routes.filter(
		({ plugins }) => entry.kind === "route" || !plugins.some(answersWell),
	);
}

/** A finding at the route, or at the entry that stands on it. */
export function onRoute(
	{ entry }: CheckedEntry,
	{ route }: CheckedRoute,
	said: Said,
): Found {
	const { file, map } = entry.kind === "route" ? entry : route;
	return at(file, map, {
		...said,
		message: `${entry.name} on ${entry.scope}: ${said.message}`,
	});
}

export function closedRoute(checked: CheckedEntry): Found[] {
	const { entry, routes, config } = checked;
	const open = routesWithTokens(checked);
	return routes
		.filter((one) => !open.includes(one))
		.filter(
			(one) => config.unauthenticated !== "pass" || guardsOf(one).length > 0,
		)
		.map(({ route }) =>
			at(entry.file, entry.map, {
				message: `${entry.name} on ${entry.scope}: it runs on route ${route.name} too, which request-termination answers, and rejects requests there with 401: backends cannot fetch a JWK Set or introspect tokens`,
				cure: "Put the entry on the Services that need it.",
			}),
		);
}

export function noAudience(checked: CheckedEntry): Found[] {
	if (checked.config.audience !== undefined || checked.asides.has("audience"))
		return [];
	return routesWithTokens(checked)
		.filter(({ route }) => !route.service)
		.map((one) =>
			onRoute(checked, one, {
				message: `route ${one.route.name} has no service, so tokens would have no audience and every request is rejected with 500`,
				cure: "Put the entry on a route with a service, or set audience.",
			}),
		);
}

export function noSecurityPlugin(checked: CheckedEntry): Found[] {
	return routesWithTokens(checked)
		.filter((one) => guardsOf(one).length === 0)
		.map((one) => {
			const [later] = latecomersOf(one);
			return onRoute(checked, one, {
				message: `no security plugin on route ${one.route.name}${later ? ` but ${later}, which runs after this one` : ""}: only clients whose certificate the listener verifies are let in`,
				cure: "Put a plugin such as key-auth on the route or its Service, or ignore this rule for routes with mTLS.",
			});
		});
}

export function onConsumerOnly({ configuration, entries }: Check): Found[] {
	const { routes } = configuration;
	const covered = new Set(
		entries.flatMap((one) => one.routes.map(({ route }) => route)),
	);
	const open = routes.filter((route) => route.service && !covered.has(route));
	if (routes.length && !open.length) return [];
	return entries
		.filter(({ entry }) => entry.kind.startsWith("consumer"))
		.map(({ entry, config }) => {
			const header = config.upstream_custom_jwt_header ?? "X-Custom-Jwt";
			return at(entry.file, entry.map, {
				message: `${entry.name} on ${entry.scope}: requests of everybody else pass without a token, with whatever ${header} header the client sends`,
				cure: "Put an entry on the Service or route too, or clear the header there with pre-function; docs/guard.md explains.",
			});
		});
}

/**
 * A route that says by its status whether a token is good. Kong's jwt plugin accepts every jwt credential of every
 * consumer, so only a group tells those of introspection from those of clients, who sign what they like.
 */
function introspection({ plugins }: CheckedRoute) {
	const named = (name: string) => plugins.find((one) => one.name === name);
	if (!named("jwt") || !plugins.some(answersWell)) return undefined;
	const acl = named("acl");
	const { allow } = acl ? configOf(acl) : {};
	return { groups: Array.isArray(allow) ? allow : [] };
}

export function openIntrospection({ routes }: Check): Found[] {
	return routes
		.filter((one) => introspection(one)?.groups.length === 0)
		.map(({ route }) =>
			at(route.file, route.map, {
				message: `route ${route.name}: it tells whether a token is good, but has no acl with a group in allow: clients with a jwt credential sign themselves tokens that it accepts`,
				cure: "Put acl on the route, and allow one group that only the consumer of introspection has.",
			}),
		);
}

export function introspectionWithSecret({
	configuration,
	routes,
}: Check): Found[] {
	return routes.flatMap((one) => {
		const { groups = [] } = introspection(one) ?? {};
		if (!groups.length) return [];
		return membersOf(configuration, groups).flatMap(({ algorithms, name }) =>
			algorithms
				.filter((algorithm) => !/^(RS|ES|PS)\d|^EdDSA$/.test(algorithm))
				.map((algorithm) =>
					at(one.route.file, one.route.map, {
						message: `route ${one.route.name}: consumer ${name} may introspect with ${algorithm}, a secret that its owner signs with too`,
						cure: "Use RS256 or another algorithm with a public key.",
					}),
				),
		);
	});
}

export function invalidPath({ configuration: { routes } }: Check): Found[] {
	return routes.flatMap((route) =>
		route.paths
			.map(pathFault)
			.filter((fault) => fault !== undefined)
			.map((fault) =>
				at(route.file, route.map, {
					message: `route ${route.name}: ${fault}`,
					cure: "Write the path without look-around and back-references, or as a plain prefix without ~.",
				}),
			),
	);
}

export function expressionNotRead({
	configuration: { routes },
	entries,
}: Check): Found[] {
	if (!entries.length) return [];
	return routes
		.filter(({ matchable }) => matchable.expression !== undefined)
		.map((route) =>
			at(route.file, route.map, {
				message: `route ${route.name} has an expression, which is not read here: whether it is the route that Kong chooses at a jku was not checked`,
				cure: "Fetch the jku yourself, e.g. with curl, after you apply the file.",
			}),
		);
}

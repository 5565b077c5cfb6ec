const DEFAULT_PORTS: Record<string, number> = {
	http: 80,
	https: 443,
	grpc: 80,
	grpcs: 443,
	ws: 80,
	wss: 443,
};

/**
 * Writes a URL, its port left out when it is the scheme's default.
 *
 * @param host a name or an IP address, an IPv6 address with or without its brackets (RFC 3986 §3.2.2)
 * @param path with its leading slash, or nothing
 */
export function writeUrl(
	scheme: string,
	host: string,
	port: number,
	path: string,
): string {
	const suffix = DEFAULT_PORTS[scheme] === port ? "" : `:${port}`;
	const isBare = host.includes(":") && !host.startsWith("[");
	return `${scheme}://${isBare ? `[${host}]` : host}${suffix}${path}`;
}

/**
 * The path of a request's target as nginx has it, without query and fragment (RFC 9449 §4.2).
 *
 * @example pathOf("/orders/7?a=b#c") // "/orders/7"
 */
export function pathOf(target: string): string {
	const [withoutFragment = ""] = target.split("#");
	const [path = ""] = withoutFragment.split("?");
	return path;
}

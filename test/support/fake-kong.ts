import type { Kong } from "../../plugins/x-custom-jwt/pdk";
import { answer, type KnownRequest } from "./facts";

/** A PDK call that changes the request or its log, e.g. `service.request.setHeader`. */
type Call = [name: string, ...args: unknown[]];

/**
 * Kong's PDK for one request, without Kong. As on Kong, no call after `exit` is ever answered.
 *
 * @param failing names of PDK calls that fail, e.g. `router.getService`, each with its error
 */
export function fakeKong(
	request: KnownRequest,
	failing: Record<string, unknown> = {},
): Kong & { calls: Call[] } {
	const calls: Call[] = [];
	let isOver = false;

	async function call<T>(
		name: string,
		args: unknown[],
		result: () => unknown,
	): Promise<T> {
		calls.push([name, ...args]);
		if (isOver) return new Promise<never>(() => {});
		if (name in failing) throw failing[name];
		isOver = name === "response.exit";
		return result() as T;
	}
	const getter =
		(name: string, about: Parameters<typeof answer>[1]["about"]) =>
		<T>(...args: string[]) =>
			call<T>(name, args, () =>
				answer(request, { about, name: args[0] } as Parameters<
					typeof answer
				>[1]),
			);
	const setter =
		(name: string) =>
		(...args: unknown[]) =>
			call<void>(name, args, () => undefined);

	return {
		calls,
		client: {
			getCredential: getter("client.getCredential", "credential"),
			getConsumer: getter("client.getConsumer", "consumer"),
			getForwardedIp: getter("client.getForwardedIp", "forwarded_ip"),
			tls: {
				getFullClientCertificateChain: getter(
					"client.tls.getFullClientCertificateChain",
					"certificate",
				),
			},
		},
		ctx: { shared: { get: getter("ctx.shared.get", "shared") } },
		log: {
			info: setter("log.info"),
			warn: setter("log.warn"),
			err: setter("log.err"),
			setSerializeValue: setter("log.setSerializeValue"),
		},
		nginx: {
			getCtx: getter("nginx.getCtx", "ctx"),
			getVar: getter("nginx.getVar", "variable"),
		},
		request: {
			getForwardedScheme: getter(
				"request.getForwardedScheme",
				"forwarded_scheme",
			),
			getForwardedHost: getter("request.getForwardedHost", "forwarded_host"),
			getForwardedPort: getter("request.getForwardedPort", "forwarded_port"),
			getHeader: getter("request.getHeader", "header"),
			getMethod: getter("request.getMethod", "method"),
			getQueryArg: getter("request.getQueryArg", "query"),
			getRawPath: getter("request.getRawPath", "path"),
			getRawBody: (maxSize) =>
				call("request.getRawBody", [maxSize], () =>
					request.body === undefined ? undefined : Buffer.from(request.body),
				),
		},
		response: {
			exit: setter("response.exit"),
			setHeader: setter("response.setHeader"),
		},
		router: {
			getRoute: getter("router.getRoute", "route"),
			getService: getter("router.getService", "service"),
		},
		service: {
			request: {
				clearHeader: setter("service.request.clearHeader"),
				setHeader: setter("service.request.setHeader"),
			},
		},
	};
}

import { send } from "../../local/http";

/** The values of a Prometheus endpoint, by name and labels as they stand in its text. */
export type Samples = Map<string, number>;

/**
 * Reads a Prometheus endpoint.
 *
 * @param where a loopback port, or the path of a unix socket
 */
export async function scrape(where: string | number): Promise<Samples> {
	const { body } =
		typeof where === "number"
			? await send(`http://127.0.0.1:${where}/metrics`)
			: await send("http://localhost/metrics", { socketPath: where });
	return new Map(
		body
			.split("\n")
			.filter((line) => line && !line.startsWith("#"))
			.map((line) => {
				const end = line.lastIndexOf(" ");
				return [line.slice(0, end), Number(line.slice(end + 1))];
			}),
	);
}

using System.Globalization;
using PoolApi.HttpBenchmarks.Load;

namespace PoolApi.HttpBenchmarks.Contenders;

/// <summary>The addresses of a server that are measured.</summary>
/// <param name="Base">Its address.</param>
/// <param name="Health">Its health check, which may have another address.</param>
/// <param name="SleepPath">The path to which the milliseconds are appended.</param>
/// <param name="HashPath">The path to which the iterations are appended.</param>
/// <param name="NoopPath">No work, on the threads that run work.</param>
/// <param name="PlainPath">No work, in the handler.</param>
internal sealed record Routes(Uri Base, Uri Health, string SleepPath, string HashPath, string NoopPath, string PlainPath)
{
    public Target Noop => At(NoopPath);

    public Target Plain => At(PlainPath);

    public static Routes OfPoolApi(int port, int managementPort) => new(
        Loopback(port), new Uri(Loopback(managementPort), "/livez"),
        "/v1/diagnostics/sleep?ms=", "/v1/diagnostics/hash?iterations=", "/v1/diagnostics/noop", "/v1/diagnostics/inline");

    public static Routes OfOthers(int port) => new(
        Loopback(port), new Uri(Loopback(port), "/healthz"), "/sleep?n=", "/hash?n=", "/noop", "/plain");

    public Target Sleep(int milliseconds) => At(SleepPath + milliseconds.ToString(CultureInfo.InvariantCulture));

    public Target Hash(int iterations) => At(HashPath + iterations.ToString(CultureInfo.InvariantCulture));

    private static Uri Loopback(int port) => new($"http://127.0.0.1:{port}");

    private Target At(string path) => new(new Uri(Base, path));
}

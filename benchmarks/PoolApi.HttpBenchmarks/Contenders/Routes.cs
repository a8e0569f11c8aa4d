using System.Globalization;
using PoolApi.HttpBenchmarks.Load;

namespace PoolApi.HttpBenchmarks.Contenders;

/// <summary>Where a server has what is measured.</summary>
/// <param name="Base">Its address.</param>
/// <param name="Health">Its health check, which may be at another.</param>
/// <param name="SleepPath">To which the milliseconds are added.</param>
/// <param name="HashPath">To which the iterations are added.</param>
/// <param name="NoopPath">No work, the way the work goes.</param>
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

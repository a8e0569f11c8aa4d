using PoolApi.Settings;

namespace PoolApi.Management;

/// <summary>
/// <c>PoolApi healthcheck</c>: asks a running PoolApi on this machine whether it is ready, for images that have no shell and
/// no curl. The settings say where it listens, as they do for the service itself.
/// </summary>
internal static class HealthcheckCommand
{
    public const string Name = "healthcheck";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <returns>0 if it is ready, 1 if not.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        IConfiguration configuration;
        try
        {
            configuration = ServiceConfiguration.Read(args);
        }
        catch (Exception e) when (e is ArgumentException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
        var faults = new List<string>();
        ServerUrls urls = ServerUrls.Read(configuration, faults);
        Uri[] probes = [.. urls.ManagementProbes.Where(static probe => probe.Port != 0)];
        if (probes.Length == 0) faults.Add($"{ServerUrls.ManagementKey} has port 0, any free one; this command needs the port that was taken.");
        if (faults.Count > 0)
        {
            foreach (string fault in faults) Console.Error.WriteLine(fault);
            return 1;
        }
        // The probes are on this machine, so the command ignores a proxy that the environment sets.
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Timeout.InfiniteTimeSpan };
        using var late = new CancellationTokenSource(Patience);
        foreach (Uri probe in probes)
        {
            var url = new Uri(probe, "/readyz");
            try
            {
                using HttpResponseMessage response = await http.GetAsync(url, late.Token);
                Console.WriteLine($"{url} answered {(int)response.StatusCode}");
                return response.IsSuccessStatusCode ? 0 : 1;
            }
            catch (OperationCanceledException)
            {
                Console.Error.WriteLine($"{url} does not answer within {Patience.TotalSeconds:F0} s.");
                return 1;
            }
            catch (HttpRequestException e)
            {
                Console.Error.WriteLine($"{url} does not answer: {e.Message}");
            }
        }
        return 1;
    }
}

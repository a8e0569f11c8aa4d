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
        // Read as the service reads them, environments and files included.
        ConfigurationManager configuration;
        try
        {
            configuration = WebApplication.CreateSlimBuilder(ContentRoot.Options(args)).Configuration;
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
        var faults = new List<string>();
        ServerUrls urls = ServerUrls.Read(configuration, faults);
        if (faults.Count > 0)
        {
            foreach (string fault in faults) Console.Error.WriteLine(fault);
            return 1;
        }
        BindingAddress address = BindingAddress.Parse(urls.Management[0]);
        // A wildcard is where to listen, not where to ask.
        string host = ServerUrls.IsAnyHost(address.Host) ? "localhost" : address.Host;
        var url = new Uri($"http://{host}:{address.Port}/readyz");
        try
        {
            // It asks this machine: a proxy that the environment names for others is not asked.
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
            using HttpResponseMessage answer = await http.GetAsync(url);
            Console.WriteLine($"{url} answered {(int)answer.StatusCode}");
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            Console.Error.WriteLine($"{url} does not answer: {e.Message}");
            return 1;
        }
    }
}

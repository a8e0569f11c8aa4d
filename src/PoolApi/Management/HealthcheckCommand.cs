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
        // In the order of the service itself: the later wins.
        IConfigurationRoot configuration = new ConfigurationBuilder()
            .AddEnvironmentVariables("ASPNETCORE_")
            .SetBasePath(AppContext.BaseDirectory)
            .AddJsonFile("appsettings.json", optional: true)
            .AddEnvironmentVariables()
            .AddCommandLine(args)
            .Build();
        BindingAddress address = BindingAddress.Parse(ServerUrls.Read(configuration, []).Management[0]);
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

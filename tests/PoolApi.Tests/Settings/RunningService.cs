using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Settings;

/// <summary>The service in this process, on a port for the API and one for the management.</summary>
internal sealed class RunningService : IAsyncDisposable
{
    private RunningService(ServiceApp app)
    {
        App = app;
        app.UseKestrel();
        app.StartServer();
        Addresses = [.. app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];
        int[] ports = [.. Addresses.Select(static address => BindingAddress.Parse(address).Port)];
        (Api, Management) = (ports[0], ports[1]);
    }

    public ServiceApp App { get; }

    public string[] Addresses { get; }

    public int Api { get; }

    public int Management { get; }

    public static RunningService With(params (string Key, string Value)[] settings) => In("Production", settings);

    /// <summary>Starts the service. If <c>Urls</c> is empty, no address of the API is configured.</summary>
    public static RunningService In(string environment, params (string Key, string Value)[] settings) => new(ServiceApp.In(
        environment, [("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"), ("Jobs:Store", "none"), .. settings]));

    /// <summary>The body of a management route.</summary>
    public Task<string> GetAsync(string path) => RawConnection.ExchangeAsync("127.0.0.2", Management, $"GET {path} HTTP/1.1\r\nHost: 127.0.0.2\r\nConnection: close\r\n\r\n");

    /// <summary>Sends a request that continues a trace of its client.</summary>
    public async Task TracedAsync(string traceId) => Assert.StartsWith(
        "HTTP/1.1 200",
        await ApiAsync($"POST /v1/diagnostics/noop HTTP/1.1\r\nHost: 127.0.0.1\r\ntraceparent: 00-{traceId}-b7ad6b7169203331-01\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        StringComparison.Ordinal);

    /// <summary>Sends these bytes to the API, and reads until the server closes.</summary>
    public Task<string> ApiAsync(string request) => RawConnection.ExchangeAsync("127.0.0.1", Api, request);

    /// <summary>Sends these bytes to the API, on a connection that stays open.</summary>
    public async Task<RawConnection> ConnectAsync(string request)
    {
        RawConnection connection = await RawConnection.OpenAsync(Api);
        await connection.SendAsync(request);
        return connection;
    }

    public ValueTask DisposeAsync() => App.DisposeAsync();
}

using System.Reflection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.TestHost;

namespace PoolApi.Consumers.Tests.Support;

/// <summary>An app as its author writes it, with a pool "cpu" of two workers, in this process. Uses only the public API of the libraries.</summary>
internal sealed class ConsumerApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ConsumerApp(WebApplication app, HttpClient client) => (_app, Client) = (app, client);

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public HttpClient Client { get; }

    public IServiceProvider Services => _app.Services;

    public Trail Trail => Services.GetRequiredService<Trail>();

    public FixedThreadPool Pool(string name = "cpu") => Services.GetRequiredKeyedService<FixedThreadPool>(name);

    /// <param name="add">The app's services.</param>
    /// <param name="map">Its middleware and endpoints.</param>
    /// <param name="kestrel">Whether the server is Kestrel, which enforces its limits, or a test server in memory.</param>
    /// <param name="pool">Whether the app adds the pool.</param>
    public static async Task<ConsumerApp> StartAsync(
        Action<WebApplicationBuilder>? add, Action<WebApplication> map, bool kestrel = false, bool pool = true)
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            ApplicationName = typeof(ConsumerApp).Assembly.GetName().Name,
            ContentRootPath = AppContext.BaseDirectory,
            EnvironmentName = "Production",
        });
        builder.Logging.ClearProviders();
        if (kestrel) builder.WebHost.UseUrls("http://127.0.0.1:0");
        else builder.WebHost.UseTestServer();
        builder.Services.AddSingleton<Trail>();
        if (pool) builder.Services.AddFixedThreadPool("cpu", static o => o.Workers = 2);
        add?.Invoke(builder);
        WebApplication app = builder.Build();
        try
        {
            map(app);
            await app.StartAsync(Token);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
        string? address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
        return new ConsumerApp(
            app, kestrel ? new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(address!) } : app.GetTestClient());
    }

    public async Task<Reply> SendAsync(HttpMethod method, string path, HttpContent? content = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        using HttpResponseMessage response = await Client.SendAsync(request, Token);
        return await Reply.ReadAsync(response);
    }

    public Task<Reply> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, null, headers);

    public Task<Reply> PostAsync(string path, HttpContent content) => SendAsync(HttpMethod.Post, path, content);

    public Task StopAsync() => _app.StopAsync(Token);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }
}

internal static class OnlyControllers
{
    /// <summary>Limits an app to its own controllers among those of this assembly.</summary>
    public static IMvcBuilder Only(this IMvcBuilder mvc, params Type[] controllers) => mvc.ConfigureApplicationPartManager(parts =>
    {
        foreach (ControllerFeatureProvider all in parts.FeatureProviders.OfType<ControllerFeatureProvider>().ToArray()) parts.FeatureProviders.Remove(all);
        parts.FeatureProviders.Add(new Chosen(controllers));
    });

    private sealed class Chosen(Type[] controllers) : IApplicationFeatureProvider<ControllerFeature>
    {
        public void PopulateFeature(IEnumerable<ApplicationPart> parts, ControllerFeature feature)
        {
            foreach (Type controller in controllers) feature.Controllers.Add(controller.GetTypeInfo());
        }
    }
}

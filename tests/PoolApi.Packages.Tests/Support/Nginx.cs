using System.Diagnostics;

namespace PoolApi.Packages.Tests.Support;

/// <summary>A real nginx in front of an app. It strips a prefix of the path.</summary>
internal sealed class Nginx : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly RunningProgram _program;

    private Nginx(Uri app, string prefix)
    {
        int port = FreePorts.Next();
        Url = new Uri($"http://127.0.0.1:{port}{prefix}");
        string program = Tool.Require("nginx", "apt-get install --no-install-recommends nginx");
        string[] arguments = NginxCommand.Arguments(_folder.Path, $$"""
            upstream app { server {{app.Authority}}; }
            server {
                listen 127.0.0.1:{{port}};
                location {{prefix}} { proxy_pass http://app/; }
            }
            """);
        _program = new RunningProgram(new ProcessStartInfo(program, arguments), hasChildren: true);
    }

    /// <summary>The address of the app's root, as clients see it.</summary>
    public Uri Url { get; }

    /// <summary>Starts nginx, and waits until it accepts connections.</summary>
    public static async Task<Nginx> StartAsync(Uri app, string prefix)
    {
        var nginx = new Nginx(app, prefix);
        try
        {
            // nginx listens before it starts the worker that accepts connections.
            await nginx._program.WaitForLineAsync("start worker process ");
            return nginx;
        }
        catch
        {
            await nginx.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _program.DisposeAsync();
        _folder.Dispose();
    }
}

using System.Text.RegularExpressions;

namespace PoolApi.Packages.Tests.Support;

/// <summary>A real nginx in front of an app. It strips a prefix of the path.</summary>
internal sealed partial class Nginx : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly RunningApp _nginx;

    private Nginx(Uri app, string prefix)
    {
        int port = FreePorts.Next();
        Url = new Uri($"http://127.0.0.1:{port}{prefix}");
        string temporary = string.Join(' ', ((string[])["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]).Select(what => $"{what}_temp_path {_folder.Path}/{what};"));
        string file = Path.Combine(_folder.Path, "nginx.conf");
        // As root, nginx would run its worker as nobody, who has no access to the folder. Without root this line has no effect.
        File.WriteAllText(file, $$"""
            user root root;
            daemon off;
            worker_processes 1;
            pid {{_folder.Path}}/nginx.pid;
            error_log stderr notice;
            events { }
            http {
                access_log off;
                {{temporary}}
                upstream app { server {{app.Authority}}; }
                server {
                    listen 127.0.0.1:{{port}};
                    location {{prefix}} { proxy_pass http://app/; }
                }
            }
            """);
        string program = Tool.Require("nginx", "apt-get install --no-install-recommends nginx");
        _nginx = RunningApp.Start(_folder.Path, program, "-p", _folder.Path, "-c", file, "-e", "stderr");
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
            await nginx._nginx.WaitForAsync(Started(), 1);
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
        await _nginx.DisposeAsync();
        _folder.Dispose();
    }

    [GeneratedRegex("start worker process ")]
    private static partial Regex Started();
}

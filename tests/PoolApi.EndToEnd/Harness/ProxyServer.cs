using System.Diagnostics;
using System.Net.Sockets;

namespace PoolApi.EndToEnd.Harness;

/// <summary>A real reverse proxy with a configuration of deploy/, in which only the addresses are replaced.</summary>
internal sealed class ProxyServer : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly LineLog _log = new();
    private readonly Process _process;

    private ProxyServer(Configuration configuration, string program)
    {
        string file = Path.Combine(_folder.Path, Path.GetFileName(configuration.File));
        File.WriteAllText(file, configuration.Text);
        var start = new ProcessStartInfo(program, configuration.Arguments(_folder.Path, file))
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        // Caddy writes files to the home folder.
        foreach (string variable in (string[])["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"])
            start.Environment[variable] = _folder.Path;
        _process = new Process { StartInfo = start };
        _process.ErrorDataReceived += (_, e) => Take(e.Data);
        _process.OutputDataReceived += (_, e) => Take(e.Data);
        _process.Start();
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        Web = new Endpoint(configuration.Port);
    }

    /// <summary>The proxy's port for clients.</summary>
    public Endpoint Web { get; }

    /// <summary>What it wrote.</summary>
    public string Log => _log.ToString();

    /// <summary>Starts one, and waits until it listens.</summary>
    public static async Task<ProxyServer> StartAsync(Configuration configuration)
    {
        string program = Tool.Find(configuration.Program)
            ?? Tool.RequireFile($"/usr/sbin/{configuration.Program}", $"apt-get install --no-install-recommends {configuration.Program}");
        var server = new ProxyServer(configuration, program);
        try
        {
            await Eventually.SeesAsync(server.ListensAsync, listens => listens, "the proxy to listen");
            return server;
        }
        catch
        {
            TestContext.Current.TestOutputHelper?.WriteLine(server.Log);
            await server.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        // nginx ends its worker process only on a signal that it handles.
        if (!_process.HasExited)
            Libc.Send(_process.Id, UnixSignal.Terminate);
        using (var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10)))
            await _process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Web.Dispose();
        _folder.Dispose();
    }

    private async Task<bool> ListensAsync()
    {
        Assert.False(_process.HasExited, $"the proxy ended:\n{Log}");
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync("127.0.0.1", Web.Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private void Take(string? line)
    {
        if (line is not null)
            _log.Add(line);
    }

    /// <summary>A configuration, and the arguments that start its program with it.</summary>
    internal sealed record Configuration(string Program, string File, int Port, Func<string, string, string[]> Arguments)
    {
        private readonly List<(string Written, string Here)> _replaced = [];

        /// <summary>The file with the addresses of this test.</summary>
        public string Text
        {
            get
            {
                string text = System.IO.File.ReadAllText(Path.Combine(Repository.Root, "deploy", File));
                foreach (var (written, here) in _replaced)
                {
                    Assert.Contains(written, text, StringComparison.Ordinal);
                    text = text.Replace(written, here, StringComparison.Ordinal);
                }

                return text;
            }
        }

        /// <summary>Replaces an address, which must be in the file.</summary>
        public Configuration With(string written, string here)
        {
            _replaced.Add((written, here));
            return this;
        }
    }
}

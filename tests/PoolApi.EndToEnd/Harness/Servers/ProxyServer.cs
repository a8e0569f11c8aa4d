using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness.Servers;

/// <summary>A real reverse proxy with a configuration of deploy/, in which only the addresses are replaced.</summary>
internal sealed class ProxyServer : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly RunningProgram _program;

    private ProxyServer(Configuration configuration, string program)
    {
        string file = Path.Combine(_folder.Path, Path.GetFileName(configuration.File));
        File.WriteAllText(file, configuration.Text);
        var start = new ProcessStartInfo(program, configuration.Arguments(_folder.Path, file));
        // Caddy writes files to the home folder.
        foreach (string variable in (string[])["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"])
            start.Environment[variable] = _folder.Path;
        _program = new RunningProgram(start, hasChildren: true);
        Web = new Endpoint(configuration.Port);
    }

    /// <summary>The proxy's port for clients.</summary>
    public Endpoint Web { get; }

    /// <summary>What it wrote.</summary>
    public string Log => _program.Log.ToString();

    /// <summary>Starts one, and waits until it listens.</summary>
    public static async Task<ProxyServer> StartAsync(Configuration configuration)
    {
        string program = Tool.Require(configuration.Program, $"apt-get install --no-install-recommends {configuration.Program}");
        var server = new ProxyServer(configuration, program);
        try
        {
            await server._program.WaitForPortAsync(server.Web.Port);
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
        await _program.DisposeAsync();
        Web.Dispose();
        _folder.Dispose();
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

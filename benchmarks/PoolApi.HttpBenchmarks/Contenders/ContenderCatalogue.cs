using System.Diagnostics;
using PoolApi.HttpBenchmarks.Baseline;

namespace PoolApi.HttpBenchmarks.Contenders;

/// <summary>Every server that is measured.</summary>
internal static class ContenderCatalogue
{
    public static readonly ContenderKind
        PoolApi = new("poolapi", "PoolApi", StartPoolApi),
        Inline = Baseline(BaselineMode.Inline, "inline"),
        TaskRun = Baseline(BaselineMode.TaskRun, "Task.Run"),
        Semaphore = Baseline(BaselineMode.Semaphore, "SemaphoreSlim + Task.Run"),
        Limiter = Baseline(BaselineMode.Limiter, "concurrency limiter"),
        Textbook = Baseline(BaselineMode.Textbook, "BlockingCollection + threads"),
        // Each of these two is measured in one scenario. --contenders cannot choose them.
        Channel = Baseline(BaselineMode.Channel, "Channel + threads"),
        Bare = Baseline(BaselineMode.Bare, "the barest hop"),
        Puma = new("puma", "Puma", StartPuma, "puma"),
        Gunicorn = new("gunicorn", "gunicorn gthread", StartGunicorn, "gunicorn");

    public static readonly IReadOnlyList<ContenderKind> All = [PoolApi, Inline, TaskRun, Semaphore, Limiter, Textbook, Puma, Gunicorn];

    private static ContenderKind Baseline(BaselineMode mode, string name)
    {
        string id = mode.ToString().ToLowerInvariant();
        return new ContenderKind(id, name, (_, workers) =>
        {
            int port = FreePort.Next();
            return ServerProcess.Start(ThisProgram.With(BaselineServer.Command, id, $"{port}", $"{workers}"), Routes.OfOthers(port));
        });
    }

    private static ServerProcess StartPoolApi(Settings settings, int workers) => PoolApiProgram.Start(
        settings.PoolApi, "--Workloads:Diagnostics", "true", "--Pool:Workers", $"{workers}");

    private static ServerProcess StartPuma(Settings settings, int workers)
    {
        const string App = """
            require "openssl"

            run lambda { |env|
              n = env["QUERY_STRING"][/\An=(\d+)/, 1].to_i
              case env["PATH_INFO"]
              when "/sleep" then sleep n / 1000.0
              when "/hash"
                OpenSSL::KDF.pbkdf2_hmac("correct horse battery staple", salt: "0123456789abcdef", iterations: n, length: 32, hash: "SHA256")
              end
              [200, { "content-type" => "text/plain", "content-length" => "5" }, ["done\n"]]
            }

            """;
        int port = FreePort.Next();
        return ServerProcess.Start(
            new ProcessStartInfo("puma",
            [
                "-C", "-", "-e", "production", "-t", $"{workers}:{workers}", "-b", $"tcp://127.0.0.1:{port}",
                ScriptFolder.Write("config.ru", App),
            ]),
            Routes.OfOthers(port));
    }

    private static ServerProcess StartGunicorn(Settings settings, int workers)
    {
        const string App = """
            import hashlib
            import time


            def app(environ, start_response):
                query = environ["QUERY_STRING"]
                n = int(query[2:]) if query.startswith("n=") else 0
                if environ["PATH_INFO"] == "/sleep":
                    time.sleep(n / 1000)
                elif environ["PATH_INFO"] == "/hash":
                    hashlib.pbkdf2_hmac("sha256", b"correct horse battery staple", b"0123456789abcdef", n)
                start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
                return [b"done\n"]

            """;
        int port = FreePort.Next();
        string folder = Path.GetDirectoryName(ScriptFolder.Write("benchmark_app.py", App))!;
        return ServerProcess.Start(
            new ProcessStartInfo("gunicorn",
            [
                "-k", "gthread", "--workers", "1", "--threads", $"{workers}", "-b", $"127.0.0.1:{port}",
                "--chdir", folder, "benchmark_app:app",
            ]),
            Routes.OfOthers(port));
    }
}

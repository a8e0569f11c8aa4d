namespace PoolApi.TestKit.Processes;

/// <summary>The command line of an nginx in the foreground that writes its files to a folder of the test, and its log to standard error.</summary>
public static class NginxCommand
{
    /// <summary>Writes a configuration, and returns the arguments that start nginx with it.</summary>
    /// <param name="folder">The folder of the test.</param>
    /// <param name="http">The directives of the http block.</param>
    public static string[] Arguments(string folder, string http)
    {
        string file = Path.Combine(folder, "nginx.conf");
        string temporary = string.Join(' ', ((string[])["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]).Select(what => $"{what}_temp_path {folder}/{what};"));
        // As root, nginx would run its worker as the user nobody, who has no access to the folder. Without root, the user line has no effect.
        File.WriteAllText(file, $$"""
            user root root;
            daemon off;
            worker_processes 1;
            pid {{folder}}/nginx.pid;
            error_log stderr notice;
            events { }
            http {
                access_log off;
                {{temporary}}
                {{http}}
            }
            """);
        return ["-p", folder, "-c", file, "-e", "stderr"];
    }
}

using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Clients;

/// <summary>The code of docs/clients.md is code of the programs that use the generated clients.</summary>
public sealed partial class ClientPageTests
{
    [Theory]
    [InlineData("Kiota, ", "KiotaProgram.cs")]
    [InlineData("NSwag, ", "NSwagProgram.cs")]
    [InlineData("openapi-fetch, ", "program.ts")]
    public void Each_line_of_the_page_stands_in_the_program_that_uses_the_client(string client, string program)
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "clients.md"));
        string code = Assert.Single(Block().Matches(page), block => block.Groups[1].Value == client).Groups[2].Value;
        string[] lines = Trimmed(code);
        Assert.True(lines.Length >= 5, $"The page has {lines.Length} lines of code.");
        string[] all = Trimmed(File.ReadAllText(Path.Combine(NodeTools.Folder, "Programs", program)));
        Assert.Equal(lines, all.SkipWhile(line => line != lines[0]).Where(lines.Contains).Take(lines.Length)); // in the order of the page

        static string[] Trimmed(string text) => text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
    }

    [GeneratedRegex(@"^([\w-]+, )`[^`]+`:\n\n```(?:csharp|ts)\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}

using System.Text.RegularExpressions;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>The rule for the name of the schema with the tables.</summary>
internal static partial class SchemaName
{
    public const string Default = "poolapi";

    /// <summary>The allowed names in words, to follow "it must be". The channel is named after the schema, and PostgreSQL cuts a name off after 63 bytes.</summary>
    public const string Rule = "1 to 40 lower-case letters, digits and underscores, not beginning with a digit or with pg_";

    public static bool IsValid(string name) => Pattern().IsMatch(name);

    /// <summary>The name as an identifier of SQL. Unquoted, a name such as <c>order</c> is a keyword.</summary>
    public static string Quoted(string name) => $"\"{name}\"";

    [GeneratedRegex(@"\A(?!pg_)[a-z_][a-z0-9_]{0,39}\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Pattern();
}

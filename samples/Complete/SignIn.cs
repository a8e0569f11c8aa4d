using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Mvc;

namespace Complete;

/// <summary>The form with which a user signs in.</summary>
public sealed class SignIn
{
    [FromForm(Name = "name")] public string Name { get; init; } = "";

    [FromForm(Name = "password")] public string Password { get; init; } = "";

    /// <summary>Whether the settings have this user with this password, as <c>Users:NAME</c>.</summary>
    public bool IsRight(IConfiguration settings) =>
        settings.GetSection("Users")[Name] is { } password
        && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(Password)), SHA256.HashData(Encoding.UTF8.GetBytes(password)));
}

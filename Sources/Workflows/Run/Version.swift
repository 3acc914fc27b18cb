/// The version of this program.
package let holdfastVersion = "0.1.0"
